"""Moves between tiers can be had for good, by services that make their stores anew."""

from datetime import UTC, datetime

import orjson
import pyarrow as pa

from shared.auth import Role
from shared.contracts.events.tier import TierChanged
from shared.ids import new_id
from shared.outbox import emit
from tests.support import Running


async def test_moves_between_tiers_are_exported_as_they_were_told(segmentation: Running) -> None:
    moved = TierChanged(
        scheme_id=new_id(),
        scheme_key="told-tiers",
        kind="value",
        list_id=new_id(),
        cause="applied",
        from_tier=None,
        to_tier="gold",
        effective_at=datetime(2026, 11, 2, 1, tzinfo=UTC),
        customers=[new_id(), new_id()],
    )
    async with segmentation.runtime.db.transaction() as session:
        await emit(session, moved)
    async with segmentation.client(Role.integrator) as integrator:
        answer = await integrator.get("/v1/exports/events")
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["watermark"]) >= 0
    rows = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    told = [orjson.loads(row["event"]) for row in rows if row["subject"].endswith(".told-tiers")]
    assert [event["data"] for event in told] == [moved.model_dump(mode="json")]
    for caller in (segmentation.client(Role.integrator, org="hq.sh"), segmentation.client(Role.strategist)):
        async with caller:
            assert (await caller.get("/v1/exports/events")).status_code == 403
