"""What campaigns told the stores of others can be had for good, by those who make stores anew."""

from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
import pyarrow as pa
from sqlalchemy import text

from services.campaign.queries.told import KEPT
from shared.auth import Role
from shared.contracts.events import AssignedContact, CampaignPaused, ContactRecorded, ContactsAssigned
from shared.ids import new_id
from shared.outbox import emit
from shared.relay import Relay
from tests.support import Running

CAMPAIGN, CONTACT, CUSTOMER = new_id(), new_id(), new_id()
NOW = datetime(2026, 11, 2, 1, tzinfo=UTC)


async def told(campaign: Running, org: str = "hq") -> list[dict[str, Any]]:
    """The bodies of this campaign's events, in the order of the export."""
    async with campaign.client(Role.integrator, org=org) as integrator:
        answer = await integrator.get("/v1/exports/events")
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["watermark"]) >= 0
    rows = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)
    events = [(row, orjson.loads(row["event"])) for row in rows if str(CAMPAIGN) in row["subject"]]
    assert all(row["event_id"] == event["id"] for row, event in events)
    return [event["data"] for _, event in events]


async def test_what_was_told_outlives_the_outbox(campaign: Running) -> None:
    assigned = ContactsAssigned(
        campaign_id=CAMPAIGN,
        assigned_at=NOW,
        contacts=[
            AssignedContact(
                contact_id=CONTACT,
                customer_id=CUSTOMER,
                arm="call",
                propensity=0.6,
                branch="hq.sh",
                segment="young",
            )
        ],
    )
    called = ContactRecorded(
        campaign_id=CAMPAIGN,
        contact_id=CONTACT,
        customer_id=CUSTOMER,
        version=2,
        state="done",
        recorded_at=NOW,
        recorded_by="user:m",
    )
    async with campaign.runtime.db.transaction() as session:
        await emit(session, assigned, CampaignPaused(campaign_id=CAMPAIGN, at=NOW), called)
    wanted: list[dict[str, Any]] = [event.model_dump(mode="json") for event in (assigned, called)]
    assert await told(campaign) == wanted
    async with campaign.runtime.db.transaction() as session:
        old = "UPDATE outbox SET sent_at = clock_timestamp() - interval '8 days' WHERE subject LIKE :mine"
        await session.execute(text(old), {"mine": f"%{CAMPAIGN}"})
    relay = Relay(campaign.runtime.db.conninfo, campaign.runtime.bus, KEPT)
    async with await psycopg.AsyncConnection.connect(relay.conninfo, autocommit=True) as connection:
        await relay._purge(connection)
    async with campaign.runtime.db.transaction() as session:
        left = await session.scalar(
            text("SELECT count(*) FROM outbox WHERE subject LIKE :mine"), {"mine": f"%{CAMPAIGN}"}
        )
    assert left == 0
    assert await told(campaign) == wanted


async def test_it_is_for_services_at_head_office_and_is_audited(campaign: Running) -> None:
    for caller in (
        campaign.client(Role.integrator, org="hq.sh"),
        campaign.client(Role.manager, staff="S1"),
        campaign.client(Role.strategist),
    ):
        async with caller:
            assert (await caller.get("/v1/exports/events")).status_code == 403
    async with campaign.client(Role.integrator) as integrator:
        refused = await integrator.get("/v1/exports/events", headers={"accept": "image/png"})
        assert refused.status_code == 406
        lines = await integrator.get("/v1/exports/events", headers={"accept": "application/x-ndjson"})
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    async with campaign.runtime.db.transaction() as session:
        found = await session.scalar(
            text("SELECT count(*) FROM audit_log WHERE action = 'export_events' AND org_path = 'hq'")
        )
    assert found
