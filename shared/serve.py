"""`python -m shared.serve <service>`: one service's API; with HUANYING_INLINE_WORKER its worker too."""

import importlib
import sys

import uvicorn

from shared.settings import SERVICES, Settings


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in SERVICES:
        sys.exit(f"usage: python -m shared.serve {{{'|'.join(SERVICES)}}}")
    settings = Settings()
    app = importlib.import_module(f"services.{sys.argv[1]}.app").app
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=20,
        server_header=False,
    )


if __name__ == "__main__":
    main()
