"""Nothing is different from a full evaluation after a restart, an outage of the broker and a merge."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import nats
import pytest
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from sqlalchemy import make_url

from benchmarks.workplace import workplace
from deploy.demo.plot import BERKA, SYNTHETIC
from shared import clock
from shared.auth import Role
from shared.contracts.events import CustomersMerged, CustomersUnmerged, EventData
from shared.migrate import upgrade
from shared.outbox import row
from tests.segmentation.conftest import STORE_FILE, fill_from_here
from tests.segmentation.living_bank import LivingBank
from tests.support import Running, Servers, eventually, run_service

RULES = {
    **{each["key"]: each["definition"]["sql"] for each in (*SYNTHETIC.segments, *BERKA.segments)},
    "gold": "aum >= 1 or gender = 'F'",
    "open-complaint": "kind = 'person' and not in_segment('gold')",
    "busy": "count_events('transaction.posted', 3) >= 1 or count_events('login', 30) >= 2",
    "quiet": "not (count_events('login', 30) >= 1) and product_count >= 1",
    "near-gold": "related('household', 'gold') or related('supplies', 'gold')",
    "maturing": "matures_within(30) and in_segment('gold')",
}
"""The demonstrations', and some that live on windows, dates, relations and each other."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Servers]:
    """Servers of its own: the broker of the session is others', too."""
    with workplace(tmp_path) as place:
        owner = make_url(place.servers.postgres.url("segmentation", "segmentation_owner"))
        await asyncio.to_thread(upgrade, "segmentation", owner, "segmentation_app")
        await fill_from_here(place.servers, STORE_FILE)
        yield place.servers


@asynccontextmanager
async def _relay(servers: Servers) -> AsyncIterator[JetStreamContext]:
    """The customer service's connection to the broker, which outlives what happens to segmentation."""
    connection = await nats.connect(servers.nats.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    try:
        yield connection.jetstream(timeout=2)
    finally:
        await connection.close()


async def _tell(js: JetStreamContext, told: Sequence[EventData]) -> int:
    """Each until the broker has it, as the outbox does; the last one's sequence."""
    last = 0
    for each in told:
        message = row(each)
        headers = {"Nats-Msg-Id": str(message["event_id"])}
        while True:
            with suppress(NatsError, TimeoutError):
                ack = await js.publish(message["subject"], message["payload"], headers=headers)
                last = ack.seq
                break
            await asyncio.sleep(0.1)
    return last


async def _publish_rules(running: Running) -> None:
    async with running.client(Role.strategist) as client:
        for key, sql in RULES.items():
            body = {"key": key, "name": {"zh": key, "en": key}, "definition": {"sql": sql}}
            assert (await client.post("/v1/segments", json=body)).status_code == 201, sql
            assert (await client.post(f"/v1/segments/{key}:publish")).status_code == 200


async def _audited(running: Running, position: int) -> list[dict[str, Any]]:
    """The audit of every segment once passes have come to this position of the stream."""
    found: dict[str, Any] = {}

    async def arrived() -> bool:
        async with running.client(Role.auditor) as client:
            answer = await client.post("/v1/segments:audit")
        found.update(answer.json() if answer.status_code == 200 else {})
        return len(found.get("segments", [])) == len(RULES) and found["applied"] >= position

    await eventually(arrived, what=f"an audit of everything at {position}")
    segments: list[dict[str, Any]] = found["segments"]
    assert found["differences"] == 0, segments
    return segments


async def test_an_audit_finds_no_difference_after_restart_outage_and_merge(house: Servers) -> None:
    bank = LivingBank(Random(5))
    bank.clock = clock.now()
    bank.begin(24)
    bank.happen(24)
    async with _relay(house) as js:
        async with run_service(house, "segmentation", HUANYING_STORE_FILE=STORE_FILE) as running:
            position = await _tell(js, bank.told)
            await _publish_rules(running)
            before = await _audited(running, position)
            assert sum(each["size"] for each in before) > 0

            house.nats.stop()
            during = asyncio.create_task(_tell(js, bank.happen(20)))
            await asyncio.sleep(1)
            assert not during.done()
            house.nats.start()
            position = await _tell(js, bank.happen(6))
            position = max(position, await during)
            await _audited(running, position)

        missed = bank.happen(12)
        position = await _tell(js, missed)
        async with run_service(house, "segmentation", HUANYING_STORE_FILE=STORE_FILE) as running:
            await _audited(running, position)
            seen = len(bank.told)
            bank.merge()
            bank.undo()
            bank.merge()
            merged = bank.told[seen:]
            assert {type(each) for each in merged} == {CustomersMerged, CustomersUnmerged}
            await _audited(running, await _tell(js, merged))
