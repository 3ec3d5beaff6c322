"""Routes for webhooks, the same in every service."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Response

from shared.auth import Principal, Role
from shared.contracts.base import Page, Timestamp
from shared.contracts.webhooks import (
    DeliveryState,
    DeliveryView,
    EventPattern,
    ReplayAnswer,
    ReplayRequest,
    WebhookCreated,
    WebhookPatch,
    WebhookSecret,
    WebhookView,
    WebhookWrite,
)
from shared.pagination import PageParams, paginate
from shared.web import (
    CurrentRuntime,
    IfMatch,
    Router,
    Session,
    allow_at_head_office,
    check_version,
    problem_responses,
    set_etag,
)
from shared.webhooks import queries, usecases
from shared.webhooks.models import WebhookDelivery, WebhookEndpoint

webhooks = Router(tags=["webhooks"])


# An event carries facts about customers of any branch, so whoever receives it sees the whole bank's ids.
WebhookOwner = Annotated[Principal, allow_at_head_office(Role.integrator)]
WebhookId = Annotated[UUID, Path(description="Id of the webhook")]


async def _endpoint(session: Session, webhook_id: WebhookId) -> WebhookEndpoint:
    return await queries.endpoint(session, webhook_id)


async def _locked(session: Session, webhook_id: WebhookId) -> WebhookEndpoint:
    return await queries.endpoint(session, webhook_id, lock=True)


Endpoint = Annotated[WebhookEndpoint, Depends(_endpoint)]
LockedEndpoint = Annotated[WebhookEndpoint, Depends(_locked)]


@webhooks.post("/webhooks", status_code=201, responses=problem_responses(409))
async def create_webhook(
    session: Session,
    principal: WebhookOwner,
    runtime: CurrentRuntime,
    request: Request,
    response: Response,
    body: WebhookWrite,
) -> WebhookCreated:
    """Have events of this service sent to a URL from now on, signed as Standard Webhooks says.

    The signing secret is in this answer and nowhere else.
    """
    row, secret = await usecases.create(session, runtime, principal, body)
    response.headers["Location"] = f"/v1/webhooks/{row.id}"
    set_etag(response, row.version)
    created = WebhookCreated(**queries.view(row).model_dump(), secret=secret)
    _keep_without_secret(request, created)
    return created


@webhooks.get("/webhooks", responses=problem_responses(400))
async def list_webhooks(session: Session, principal: WebhookOwner, page: PageParams) -> Page[WebhookView]:
    """The webhooks of your organisation, oldest first."""
    return await paginate(
        session,
        queries.endpoints(),
        [WebhookEndpoint.id],
        page,
        lambda row: queries.view(row[0]),
    )


@webhooks.get("/webhooks/{webhook_id}", responses=problem_responses(404))
async def get_webhook(
    session: Session, principal: WebhookOwner, endpoint: Endpoint, response: Response
) -> WebhookView:
    """One webhook, and whether it works."""
    set_etag(response, endpoint.version)
    return queries.view(endpoint)


@webhooks.patch("/webhooks/{webhook_id}", responses=problem_responses(400, 404, 412, 428))
async def change_webhook(
    session: Session,
    principal: WebhookOwner,
    runtime: CurrentRuntime,
    endpoint: LockedEndpoint,
    expected: IfMatch,
    response: Response,
    body: WebhookPatch,
) -> WebhookView:
    """Change URL, subscriptions, description or limit; deliveries that wait go to the new URL."""
    check_version(endpoint.version, expected)
    await usecases.change(session, runtime, principal, endpoint, body)
    set_etag(response, endpoint.version)
    return queries.view(endpoint)


@webhooks.delete("/webhooks/{webhook_id}", status_code=204, responses=problem_responses(400, 404, 412, 428))
async def delete_webhook(
    session: Session, principal: WebhookOwner, endpoint: LockedEndpoint, expected: IfMatch
) -> None:
    """Remove it with its deliveries; what has not been sent is not sent any more."""
    check_version(endpoint.version, expected)
    await usecases.remove(session, principal, endpoint)


@webhooks.post("/webhooks/{webhook_id}:rotate-secret", responses=problem_responses(404, 409))
async def rotate_webhook_secret(
    session: Session,
    principal: WebhookOwner,
    runtime: CurrentRuntime,
    request: Request,
    endpoint: LockedEndpoint,
) -> WebhookSecret:
    """A new signing secret. For 24 hours deliveries carry a signature by each of the two."""
    secret = await usecases.rotate(session, runtime, principal, endpoint)
    rotated = WebhookSecret.model_validate(
        {"secret": secret, "previous_valid_until": endpoint.previous_valid_until}
    )
    _keep_without_secret(request, rotated)
    return rotated


@webhooks.post("/webhooks/{webhook_id}:enable", responses=problem_responses(404, 409))
async def enable_webhook(
    session: Session, principal: WebhookOwner, endpoint: LockedEndpoint, response: Response
) -> WebhookView:
    """Send again, beginning with what was waiting. `:replay` brings what came while it was disabled."""
    await usecases.switch(session, principal, endpoint, on=True)
    set_etag(response, endpoint.version)
    return queries.view(endpoint)


@webhooks.post("/webhooks/{webhook_id}:disable", responses=problem_responses(404, 409))
async def disable_webhook(
    session: Session, principal: WebhookOwner, endpoint: LockedEndpoint, response: Response
) -> WebhookView:
    """Send nothing until it is enabled again."""
    await usecases.switch(session, principal, endpoint, on=False)
    set_etag(response, endpoint.version)
    return queries.view(endpoint)


@webhooks.post("/webhooks/{webhook_id}:test", status_code=202, responses=problem_responses(404, 409))
async def test_webhook(
    session: Session, principal: WebhookOwner, runtime: CurrentRuntime, endpoint: LockedEndpoint
) -> DeliveryView:
    """Send an event of type `huanying.webhook.test.v1` to this webhook; its deliveries tell how that went."""
    return queries.delivery_view(*await usecases.send_test(session, runtime, principal, endpoint))


@webhooks.get("/webhooks/{webhook_id}/deliveries", responses=problem_responses(400, 404))
async def list_webhook_deliveries(
    session: Session,
    principal: WebhookOwner,
    endpoint: Endpoint,
    page: PageParams,
    state: Annotated[DeliveryState | None, Query(description="Only these")] = None,
    event_type: Annotated[EventPattern | None, Query(description="Only events of this type")] = None,
    since: Annotated[Timestamp | None, Query(description="Only events from this time on")] = None,
) -> Page[DeliveryView]:
    """What was sent or waits to be sent to this webhook, newest first."""
    statement = queries.deliveries(endpoint.id, state, event_type, since)
    return await paginate(
        session, statement, [WebhookDelivery.event_id], page, queries.delivery_of_row, descending=True
    )


@webhooks.post("/webhooks/{webhook_id}:replay", status_code=202, responses=problem_responses(404, 409))
async def replay_webhook(
    session: Session,
    principal: WebhookOwner,
    runtime: CurrentRuntime,
    endpoint: LockedEndpoint,
    body: ReplayRequest,
) -> ReplayAnswer:
    """Send kept events again, with the `webhook-id` they had: of a time, by id, or those that failed."""
    return ReplayAnswer(queued=await usecases.replay(session, runtime, principal, endpoint, body))


def _keep_without_secret(request: Request, answer: WebhookCreated | WebhookSecret) -> None:
    """What is kept for an Idempotency-Key must not hold the secret."""
    request.state.kept_body = answer.model_copy(update={"secret": None}).model_dump_json().encode()


def describe_catalogue(document: dict[str, Any], service: str) -> None:
    """Name the event types of `service` in its document: the contract is shared, the types are not."""
    patterns = usecases.patterns_of(service)
    for model in ("WebhookWrite", "WebhookPatch"):
        field = document["components"]["schemas"][model]["properties"]["event_types"]
        arrays = [field, *field.get("anyOf", [])]
        for array in arrays:
            if array.get("type") == "array":
                array["items"] = {"type": "string", "enum": patterns}
