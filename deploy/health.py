"""`python -m deploy.health [path]`: exit code 0 when this container's own process answers 200.

The image has no curl; this needs nothing but the standard library and says what is wrong.
"""

import os
import sys

from deploy.embedded import ready


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else "/readyz"
    answer = ready.ask(f"http://127.0.0.1:{os.environ.get('HUANYING_PORT', '8000')}", path)
    if not answer.ready:
        sys.exit(f"{path}: {answer.words}")


if __name__ == "__main__":
    main()
