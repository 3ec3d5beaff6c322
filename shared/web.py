"""The HTTP half of a service: application, transaction per request, principals, versions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from fastapi_offline import FastAPIOffline
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import idempotency, problems
from shared.auth import HEAD_OFFICE, Principal, Role
from shared.contracts.base import Problem
from shared.errors import BadRequest, Forbidden, PreconditionFailed, PreconditionRequired, Unauthorized
from shared.logging import configure_logging
from shared.middleware import ForwardedPrefix, RequestContext, TooLargeAsProblem
from shared.service import Runtime, Service
from shared.worker import running

Resource = TypeVar("Resource")

_bearer = HTTPBearer(auto_error=False, description="JWT of a person")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="Key of a system")


class TransactionRoute(APIRoute):
    """One transaction a request: committed after the route returned and before the answer is sent.

    It wraps the whole handler and not a dependency, so the finished answer can be stored for its
    Idempotency-Key in the same transaction.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def transactional(request: Request) -> Response:
            unit = runtime_of(request).db.unit_of_work()
            request.state.unit = unit
            try:
                response = await handle(request)
                if response.status_code < 400:
                    await idempotency.keep_answer(request, unit.begun, response)
                    await unit.complete()
            except idempotency.Replayed as replayed:
                return replayed.response
            except DBAPIError as error:
                runtime_of(request).room.note(error)
                raise
            else:
                return response
            finally:
                await unit.close()

        return transactional


_BY_METHOD = {409: {"POST"}, 413: {"POST", "PUT", "PATCH"}}


class Router(APIRouter):
    """The router of every service: transactional routes below /v1, problems documented."""

    def __init__(self, *, tags: list[str]) -> None:
        super().__init__(
            prefix="/v1",
            tags=list(tags),
            route_class=TransactionRoute,
            dependencies=[Depends(idempotency.honour)],
            responses=problem_responses(400, 401, 403, 422, 503),
        )

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Document what the plumbing may answer besides: a body too large, an Idempotency-Key in use."""
        methods = set(options.get("methods") or ())
        besides = problem_responses(*(status for status, of in _BY_METHOD.items() if methods & of))
        responses = {**besides, **(options.pop("responses", None) or {})}
        super().add_api_route(path, endpoint, responses=responses, **options)


def runtime_of(request: Request) -> Runtime:
    return cast("Runtime", request.app.state.runtime)


async def current_principal(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    api_key: Annotated[str | None, Depends(_api_key)],
) -> Principal:
    authenticator = runtime_of(request).authenticator
    if bearer is not None:
        principal = await authenticator.by_token(bearer.credentials)
    elif api_key is not None:
        principal = authenticator.api_keys.principal(api_key)
    else:
        raise Unauthorized(
            "Send `Authorization: Bearer <token>` or `X-API-Key: <key>`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    request.state.principal = principal
    return principal


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


async def _session(request: Request, principal: CurrentPrincipal) -> AsyncSession:
    session = cast("AsyncSession", await request.state.unit.session(principal.scope, principal.id))
    await idempotency.replay(request, session, principal)
    return session


Session = Annotated[AsyncSession, Depends(_session)]
"""The request's transaction, within the principal's organisation scope."""


def _rest(request: Request, _session: Session) -> Callable[[], Awaitable[None]]:
    async def rest() -> None:
        # Whoever claimed an Idempotency-Key holds its lock until the answer is kept.
        if not idempotency.claimed(request):
            await request.state.unit.rest()

    return rest


Rest = Annotated[Callable[[], Awaitable[None]], Depends(_rest)]
"""Ends the request's transaction, for a route that has read what it needs and now computes for long: an idle
transaction holds a connection, keeps the database from cleaning up, and is ended by it after a minute.
"""


class Allowed:
    """Dependency that lets only these roles through; admin always may. `at_head_office`: only there."""

    def __init__(self, *roles: Role, at_head_office: bool = False) -> None:
        self.roles = frozenset(roles)
        self.at_head_office = at_head_office

    def __call__(self, principal: CurrentPrincipal) -> Principal:
        if not principal.has(*self.roles):
            allowed = ", ".join(sorted(self.roles | {Role.admin}))
            raise Forbidden(f"This needs one of the roles: {allowed}.")
        if self.at_head_office and principal.org != HEAD_OFFICE:
            detail = (
                f"This counts for the whole bank: only head office may do it, you are of {principal.org}."
            )
            raise Forbidden(detail, slug="head-office-only")
        return principal


def allow(*roles: Role) -> Any:
    return Depends(Allowed(*roles))


def allow_at_head_office(*roles: Role) -> Any:
    """For what belongs to no branch and is gone by in all of them: not even an admin of a branch may."""
    return Depends(Allowed(*roles, at_head_office=True))


def _runtime(request: Request) -> Runtime:
    return runtime_of(request)


CurrentRuntime = Annotated[Runtime, Depends(_runtime)]


def resource(kind: type[Resource]) -> Any:
    """Dependency on a resource of the process, e.g. its DuckDB store."""

    def get(request: Request) -> Resource:
        return runtime_of(request).resource(kind)

    return Depends(get)


def _if_match(if_match: Annotated[str | None, Header(description="ETag you last read")] = None) -> int:
    if if_match is None:
        raise PreconditionRequired("Read the resource, then send its ETag as If-Match.")
    try:
        return int(if_match.removeprefix("W/").strip('"').removeprefix("v"))
    except ValueError as error:
        raise BadRequest('If-Match must be an ETag of this resource, like "v3".') from error


IfMatch = Annotated[int, Depends(_if_match)]


def set_etag(response: Response, version: int) -> None:
    response.headers["ETag"] = f'"v{version}"'


def check_version(actual: int, expected: int) -> None:
    if actual != expected:
        raise PreconditionFailed(f"It is at version {actual} now, you have {expected}: read it again.")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        status: {
            "model": Problem,
            "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def create_app(service: Service) -> FastAPI:
    """The ASGI application of `service`; with `inline_worker` its worker runs inside."""
    # Imported here: these routes are made with this module's Router.
    from shared.system_routes import health, system
    from shared.webhooks.routes import describe_catalogue, webhooks

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        settings = service.settings()
        configure_logging(service.name, settings.log_level)
        async with running(service, feeds=True, worker=settings.inline_worker) as runtime:
            app.state.runtime = runtime
            yield

    app = FastAPIOffline(
        title=service.title,
        description=service.description,
        version="1",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        separate_input_output_schemas=False,
        telemetry={"auto_configure": True, "exclude": ["/healthz", "/readyz", "/metrics"]},
    )
    app.state.service = service
    _describe(app, lambda document: describe_catalogue(document, service.name))
    problems.install(app)
    limit = service.settings().max_body_bytes
    for router in (*service.routers, webhooks, system, health):
        # On the router and not the application, whose own limit answers outside every handler of ours.
        router.max_body_size = router.max_body_size or limit
        app.include_router(router)
    app.add_middleware(TooLargeAsProblem)
    app.add_middleware(ForwardedPrefix)
    app.add_middleware(RequestContext, service=service.name)
    return app


def _describe(app: FastAPI, amend: Callable[[dict[str, Any]], None]) -> None:
    """Let `amend` complete the OpenAPI document by what the types of shared routes do not say."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            amend(generate())
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]
