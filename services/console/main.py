"""The console process: pages at `/`, the gateway at `/api`, health beside them. Wiring only."""

import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from nicegui.storage import Storage

from services.console import readiness, runtime, theme
from services.console.api import ServiceName, service_clients
from services.console.gateway import Gateway, gateway_client
from services.console.headers import PageHeaders
from services.console.settings import ConsoleSettings
from shared.auth import Authenticator, LocalIssuer
from shared.logging import configure_logging

SERVICES: tuple[ServiceName, ...] = ("customer", "segmentation", "campaign", "evaluation")
_PAGES = (
    "sign_in",
    "board",
    "service_quality",
    "strategies",
    "strategy",
    "campaigns",
    "campaign",
    "campaign_review",
    "campaign_studio.page",
    "recommendations",
    "calendar",
    "optimisations",
    "optimisation",
    "segments",
    "segment",
    "segment_overlap",
    "segment_studio",
    "features",
    "models",
    "model",
    "model_run",
    "ge_matrices",
    "ge_matrix",
    "tiers",
    "churn",
    "targets",
    "target",
    "insights",
    "customers",
    "customer",
    "duplicates",
    "quality",
    "handovers",
    "imports",
    "analysis",
    "bank_analyses",
    "quotas",
    "contact_policies",
    "channels",
    "prices",
    "price_quote",
    "wording",
    "wording_version",
    "tasks",
    "opportunities",
    "account_plans",
    "account_plan",
    "activity",
    "scorecards",
    "scorecard",
    "workforce",
    "feedback",
    "referrals",
)
# Sockets of open pages would hold a stop for ever.
_GRACE_SECONDS = 5


def create_app(settings: ConsoleSettings) -> FastAPI:
    clients = service_clients({name: settings.url_of(name) for name in SERVICES})
    outbound = gateway_client(read_timeout=settings.gateway_read_timeout_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for client in (*clients.values(), outbound):
                stack.push_async_callback(client.aclose)
            yield

    app = FastAPI(
        title="Huanying console", openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.router.routes.extend(readiness.routes(clients))
    app.mount("/api", Gateway({name: settings.url_of(name) for name in SERVICES}, outbound))
    issuer = (
        LocalIssuer(settings.issuer_key_file, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
        if settings.issuer_key_file
        else None
    )
    runtime.install(runtime.ConsoleRuntime(settings, clients, Authenticator(settings), issuer))
    _install_pages(app, settings)
    app.add_middleware(PageHeaders)
    return app


def _install_pages(app: FastAPI, settings: ConsoleSettings) -> None:
    settings.session_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.session_dir.chmod(0o700)
    Storage.path = settings.session_dir
    for name in _PAGES:
        importlib.import_module(f"services.console.pages.{name}")
    theme.install()
    ui.run_with(
        app,
        title="环营 Huanying",
        favicon=theme.FAVICON,
        tailwind=False,
        storage_secret=settings.session_secret(),
        session_middleware_kwargs={"https_only": settings.session_cookie_https_only, "same_site": "lax"},
        show_welcome_message=False,
        reconnect_timeout=20,
    )


def main() -> None:
    settings = ConsoleSettings()
    configure_logging("console", settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        # Below warning it tells of every socket that opens and closes.
        log_level="warning",
        server_header=False,
        access_log=False,
        # The gateway keeps the chain of X-Forwarded-For itself.
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


if __name__ == "__main__":
    main()
