"""Webhooks of the probe service, and the events that go to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from shared import clock
from shared.contracts.events import CampaignPaused, CampaignResumed
from shared.ids import new_id
from shared.outbox import emit
from tests.support import Running, eventually

PAUSED = CampaignPaused.type_name()
RESUMED = CampaignResumed.type_name()


async def sql(probe: Running, statement: str, **parameters: object) -> list[Any]:
    async with probe.runtime.db.transaction() as session:
        result = await session.execute(text(statement), parameters)
        return list(result.all()) if result.returns_rows else []


async def create(owner: httpx.AsyncClient, url: str, *types: str, **more: Any) -> dict[str, Any]:
    answered = await owner.post(
        "/v1/webhooks", json={"url": url, "event_types": list(types or [PAUSED]), **more}
    )
    assert answered.status_code == 201, answered.text
    return dict(answered.json())


@asynccontextmanager
async def emitting(probe: Running, count: int = 1) -> AsyncIterator[list[UUID]]:
    """Ids of new events, published the way every event is when the block ends."""
    campaigns = [new_id() for _ in range(count)]
    async with probe.runtime.db.transaction() as session:
        await emit(session, *(CampaignPaused(campaign_id=one, at=clock.now()) for one in campaigns))
        subjects = [f"campaign.campaign_paused.{one}" for one in campaigns]
        rows = await session.execute(
            text("SELECT event_id FROM outbox WHERE subject = ANY(:subjects) ORDER BY seq"),
            {"subjects": subjects},
        )
        yield [row.event_id for row in rows]


async def emit_paused(probe: Running, count: int = 1) -> list[UUID]:
    async with emitting(probe, count) as event_ids:
        return event_ids


async def deliveries(owner: httpx.AsyncClient, webhook: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    answered = await owner.get(f"/v1/webhooks/{webhook['id']}/deliveries", params=query)
    assert answered.status_code == 200, answered.text
    return list(answered.json()["items"])


async def settled(
    owner: httpx.AsyncClient, webhook: dict[str, Any], event_id: UUID, **wanted: Any
) -> dict[str, Any]:
    """The delivery once it is as `wanted`."""
    found: dict[str, Any] = {}

    async def check() -> bool:
        for item in await deliveries(owner, webhook):
            if item["event_id"] == str(event_id) and wanted.items() <= item.items():
                found.update(item)
        return bool(found)

    await eventually(check, what=f"delivery {wanted}")
    return found


async def due_now(probe: Running, event_id: UUID) -> None:
    """As if the wait were over."""
    await sql(
        probe,
        "UPDATE webhook_delivery SET next_attempt_at = clock_timestamp(), leased_until = NULL WHERE event_id = :id",
        id=event_id,
    )
