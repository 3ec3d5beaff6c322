"""Every service pushes its own events to those who subscribe."""

from collections.abc import Callable

import pytest

from shared import clock
from shared.auth import Role
from shared.contracts.base import LocalText
from shared.contracts.events import (
    CampaignPaused,
    EvaluationErasureConfirmed,
    EventData,
    HandoverCompleted,
    SegmentPublished,
)
from shared.ids import new_id
from shared.settings import SERVICES
from tests.shared.receiver import receiving
from tests.support import Servers, eventually, run_service

EVENTS: dict[str, Callable[[], EventData]] = {
    "customer": lambda: HandoverCompleted(
        handover_id=new_id(), staff="S1", customers=1, receivers={"S2": 1}, completed_at=clock.now()
    ),
    "segmentation": lambda: SegmentPublished(
        segment_id=new_id(), key="hooked", version=1, kind="rule", name=LocalText(zh="客群", en="Segment")
    ),
    "campaign": lambda: CampaignPaused(campaign_id=new_id(), at=clock.now()),
    "evaluation": lambda: EvaluationErasureConfirmed(receipt_id=new_id(), rows=0, confirmed_at=clock.now()),
}


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_pushes_its_events(migrated: Servers, service: str) -> None:
    settings = {"HUANYING_DATA_DIR": str(migrated.directory / "hooks" / service)}
    async with (
        receiving() as receiver,
        run_service(migrated, service, **settings) as running,
        running.client(Role.admin) as admin,
    ):
        document = (await admin.get("/openapi.json")).json()
        offered = document["components"]["schemas"]["WebhookWrite"]["properties"]["event_types"]["items"][
            "enum"
        ]
        event = EVENTS[service]()
        assert event.type_name() in offered
        body = {"url": receiver.url, "event_types": [f"huanying.{service}.*"]}
        created = await admin.post("/v1/webhooks", json=body)
        assert created.status_code == 201, created.text
        elsewhere = {**body, "event_types": ["huanying.elsewhere.*"]}
        refused = await admin.post("/v1/webhooks", json=elsewhere)
        assert refused.json()["errors"][0]["pointer"] == "/event_types/0"
        await running.publish(event)

        async def arrived() -> bool:
            return any(request.event["type"] == event.type_name() for request in receiver.received)

        await eventually(arrived, what="delivery")
        assert all(request.signed_by(created.json()["secret"]) for request in receiver.received)
        gone = await admin.delete(f"/v1/webhooks/{created.json()['id']}", headers={"If-Match": '"v1"'})
        assert gone.status_code == 204
