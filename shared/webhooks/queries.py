"""Endpoints and their deliveries, as their owners see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.webhooks import DeliveryState, DeliveryView, WebhookView
from shared.errors import NotFound
from shared.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookMessage


async def endpoint(session: AsyncSession, endpoint_id: UUID, *, lock: bool = False) -> WebhookEndpoint:
    row = await session.get(WebhookEndpoint, endpoint_id, with_for_update=lock)
    if row is None:
        raise NotFound("There is no webhook with this id in your organisation.")
    return row


def endpoints() -> Select[WebhookEndpoint]:
    return select(WebhookEndpoint)


def view(row: WebhookEndpoint) -> WebhookView:
    fields = {name: getattr(row, name) for name in WebhookView.model_fields if name != "org"}
    return WebhookView.model_validate({**fields, "org": row.org_path})


def deliveries(
    endpoint_id: UUID, state: DeliveryState | None, event_type: str | None, since: datetime | None
) -> Select[Any]:
    """Rows of a delivery and its message."""
    statement = (
        select(WebhookDelivery, WebhookMessage)
        .join(WebhookMessage, WebhookMessage.event_id == WebhookDelivery.event_id)
        .where(WebhookDelivery.endpoint_id == endpoint_id)
    )
    if state is not None:
        statement = statement.where(WebhookDelivery.state == state)
    if event_type is not None:
        statement = statement.where(WebhookMessage.event_type == event_type)
    if since is not None:
        statement = statement.where(WebhookMessage.occurred_at >= since)
    return cast("Select[Any]", statement)


def delivery_view(delivery: WebhookDelivery, message: WebhookMessage) -> DeliveryView:
    return DeliveryView.model_validate(
        {
            **{
                name: getattr(delivery, name)
                for name in DeliveryView.model_fields
                if name not in {"event_type", "occurred_at"}
            },
            "event_type": message.event_type,
            "occurred_at": message.occurred_at,
        }
    )


def delivery_of_row(row: Sequence[Any]) -> DeliveryView:
    return delivery_view(row[0], row[1])
