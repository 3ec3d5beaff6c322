"""Incremental members against a full evaluation, on a running service; ages of events; edits as shadows."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pyroaring import BitMap
from sqlalchemy import select, update

from services.segmentation.models import Membership, MembershipDelta, Segment
from services.segmentation.queries.kept_members import kept_members
from services.segmentation.usecases import evaluation
from services.segmentation.usecases.engine import Engine
from shared.auth import Role
from shared.contracts.events import CustomersMerged
from shared.ids import new_id
from tests.segmentation.conftest import Bank, Live, members
from tests.support import Running, eventually


async def _audit(running: Running, key: str | None = None) -> tuple[int, list[dict[str, object]]]:
    path = f"/v1/segments/{key}:audit" if key else "/v1/segments:audit"
    async with running.client(Role.auditor) as client:
        answer = await client.post(path)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["differences"], body["segments"]


async def _is(running: Running, key: str, expected: set[UUID]) -> None:
    async def holds() -> bool:
        return await members(running, key) == expected

    await eventually(holds, what=f"{expected} in {key}")


async def _log(running: Running, key: str) -> list[tuple[str, BitMap, BitMap]]:
    async with running.runtime.db.transaction() as session:
        rows = await session.execute(
            select(MembershipDelta.cause, MembershipDelta.joined, MembershipDelta.left)
            .join(Segment, Segment.id == MembershipDelta.segment_id)
            .where(Segment.key == key)
            .order_by(MembershipDelta.id)
        )
        return [(cause, BitMap.deserialize(joined), BitMap.deserialize(left)) for cause, joined, left in rows]


async def test_an_event_leaves_its_window_within_a_tick_without_any_new_one(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    customer = bank.customer()
    await live("seen-lately", "count_events('login', 3) = 1")
    due = datetime.now(UTC) + timedelta(seconds=4)
    login = bank.event(customer, "login").model_copy(update={"time": due - timedelta(days=3)})
    await bank.tell(customers=[customer], events=[login])

    async def expired() -> bool:
        return (await _log(segmentation, "seen-lately"))[-1][0] == "expiry"

    await eventually(expired, what="the expiry")
    one, nobody = BitMap([customer.ordinal]), BitMap()
    assert (await _log(segmentation, "seen-lately"))[-2:] == [
        ("events", one, nobody),
        ("expiry", nobody, one),
    ]
    assert await members(segmentation, "seen-lately") == set()
    async with segmentation.client(Role.auditor) as client:
        at = (await client.get("/v1/segments/seen-lately/changes")).json()["items"][0]["at"]
    assert datetime.fromisoformat(at) >= due


async def test_an_event_told_ahead_of_time_counts_when_it_is_due(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    customer = bank.customer()
    await live("logged-in-once", "count_events('login', 3) = 1")
    due = datetime.now(UTC) + timedelta(seconds=3)
    ahead = bank.event(customer, "login").model_copy(update={"time": due})
    await bank.tell(customers=[customer], events=[ahead])
    assert await _audit(segmentation, "logged-in-once") is not None
    await _is(segmentation, "logged-in-once", {customer.customer_id})
    assert datetime.now(UTC) >= due


async def test_an_edit_is_evaluated_beside_the_version_that_decides(
    segmentation: Running, bank: Bank, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, both, new, late = (
        bank.customer(occupation=occupation, gender=gender)
        for occupation, gender in (("smith", "M"), ("smith", "F"), ("tailor", "F"), ("tailor", "F"))
    )
    await bank.tell(customers=[old, both, new])
    await live("craft", "occupation = 'smith'")
    await live("tailors", "occupation = 'tailor'")
    made, go_on = asyncio.Event(), asyncio.Event()
    real, loop = evaluation.make_shadow, asyncio.get_running_loop()

    def slow(*arguments: object) -> object:
        found = real(*arguments)  # type: ignore[arg-type]
        loop.call_soon_threadsafe(made.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)
        return found

    monkeypatch.setattr(evaluation, "make_shadow", slow)
    async with segmentation.client(Role.strategist) as client:
        etag = (await client.get("/v1/segments/craft")).headers["ETag"]
        change = {"definition": {"sql": "occupation in ('smith', 'tailor') and gender = 'F'"}}
        await client.patch("/v1/segments/craft", json=change, headers={"If-Match": etag})
        await client.post("/v1/segments/craft:publish")
    async with asyncio.timeout(20):
        await made.wait()
    await bank.tell(customers=[late])
    await _is(segmentation, "tailors", {new.customer_id, late.customer_id})
    assert await members(segmentation, "craft") == {old.customer_id, both.customer_id}
    go_on.set()
    await _is(segmentation, "craft", {each.customer_id for each in (both, new, late)})
    edit = (await _log(segmentation, "craft"))[1:]
    assert edit == [("edit", BitMap([new.ordinal, late.ordinal]), BitMap([old.ordinal]))]
    assert (await _audit(segmentation))[0] == 0


async def test_an_audit_finds_what_is_wrong_and_a_refresh_repairs_it(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    right, wrong = bank.customer(occupation="diver"), bank.customer(occupation="pearl")
    await bank.tell(customers=[right, wrong])
    await live("divers", "occupation = 'diver'")
    assert await _audit(segmentation, "divers") == (0, (await _audit(segmentation, "divers"))[1])
    async with segmentation.runtime.db.transaction() as session:
        segment = await session.scalar(select(Segment.id).where(Segment.key == "divers"))
        await session.execute(
            update(Membership)
            .where(Membership.segment_id == segment)
            .values(members=BitMap([wrong.ordinal]).serialize())
        )
    # Another process, or this one after a restart: it remembers nothing.
    segmentation.runtime.resource(Engine).memory = None
    differences, [found] = await _audit(segmentation, "divers")
    assert (differences, found["missing"], found["extra"]) == (2, 1, 1)
    assert found["missing_sample"] == [str(right.customer_id)]
    assert found["extra_sample"] == [str(wrong.customer_id)]
    assert await members(segmentation, "divers") == {wrong.customer_id}
    async with segmentation.client(Role.strategist) as client:
        assert (await client.post("/v1/segments/divers:refresh")).status_code == 202
    await _is(segmentation, "divers", {right.customer_id})
    assert (await _log(segmentation, "divers"))[-1][0] == "full"
    assert (await _audit(segmentation))[0] == 0


async def test_nothing_is_different_after_merges_and_a_restart(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    people = [bank.customer(occupation="sower") for _ in range(4)]
    await live("sowers", "occupation = 'sower' and count_events('login', 30) >= 2")
    await live("few-sowers", "occupation = 'sower' and not in_segment('sowers')")
    await bank.tell(customers=people, events=[bank.event(each, "login") for each in people])
    refs = [{"customer_id": each.customer_id, "ordinal": each.ordinal} for each in people]
    merge = CustomersMerged.model_validate(
        {
            "merge_id": new_id(),
            "survivor": refs[0],
            "merged": refs[1:2],
            "merged_at": datetime.now(UTC),
            "merged_by": "user:t",
        }
    )
    await segmentation.publish(merge)
    await _is(segmentation, "sowers", {people[0].customer_id})
    assert (await _audit(segmentation))[0] == 0
    engine = segmentation.runtime.resource(Engine)
    engine.memory, engine.agenda = None, Engine().agenda
    await bank.tell(events=[bank.event(people[2], "login")])
    await _is(segmentation, "sowers", {people[0].customer_id, people[2].customer_id})
    await _is(segmentation, "few-sowers", {people[3].customer_id})
    assert (await _audit(segmentation))[0] == 0


async def test_bitmaps_are_left_behind_and_folded_in_time(
    segmentation: Running, bank: Bank, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = bank.customer(occupation="folder")
    segment = UUID((await live("folders", "occupation = 'folder'"))["id"])
    state, counts = person, []
    for version in range(2, 8):
        occupation = "folder" if version % 2 else "maker"
        state = person.model_copy(update={"version": version, "occupation": occupation})
        await bank.tell(customers=[state])
        await _is(segmentation, "folders", {person.customer_id} if version % 2 else set())
        async with segmentation.runtime.db.transaction() as session:
            counts.append((await kept_members(session, [segment]))[segment].deltas)
    assert counts == [0, 1, 2, 3, 4, 5]
    monkeypatch.setattr("services.segmentation.usecases.differences._FOLD_AFTER", 2)
    await bank.tell(customers=[state.model_copy(update={"version": 8, "occupation": "maker"})])
    await _is(segmentation, "folders", set())
    async with segmentation.runtime.db.transaction() as session:
        kept = (await kept_members(session, [segment]))[segment]
    assert (kept.deltas, kept.members) == (0, BitMap())


async def test_only_what_passes_evaluate_can_be_audited(segmentation: Running, live: Live) -> None:
    await live("asked-for", "industry = 'asked'", refresh="on_demand")
    async with segmentation.client(Role.auditor) as client:
        assert (await client.post("/v1/segments/asked-for:audit")).status_code == 409
        assert (await client.post("/v1/segments/nowhere:audit")).status_code == 404
    async with segmentation.client(Role.manager) as client:
        assert (await client.post("/v1/segments:audit")).status_code == 403


async def test_rules_follow_segments_that_are_evaluated_on_demand(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    customer = bank.customer(industry="silk")
    await live("silk", "industry = 'silk'", refresh="on_demand")
    await live("not-in-silk", "industry = 'silk' and not in_segment('silk')")
    await bank.tell(customers=[customer])
    await _is(segmentation, "not-in-silk", {customer.customer_id})
    async with segmentation.client(Role.strategist) as client:
        assert (await client.post("/v1/segments/silk:refresh")).status_code == 202
    await _is(segmentation, "silk", {customer.customer_id})
    await _is(segmentation, "not-in-silk", set())
    assert (await _audit(segmentation))[0] == 0
