"""Segments as they were: versions, members then, the log by filter, trend, snapshots, the archive."""

import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pyarrow as pa
import pytest
from pyroaring import BitMap
from sqlalchemy import select

from services.segmentation.models import MembershipDelta, Segment, SegmentSnapshot
from services.segmentation.queries.trend import starts_of
from shared import clock
from shared.auth import Role
from shared.columnar import ARROW
from shared.contracts.events import (
    CustomerErased,
    CustomerRef,
    CustomersMerged,
    CustomerState,
    CustomersUnmerged,
    SeparatedCustomer,
)
from shared.contracts.segmentation.history import TrendStep
from shared.ids import new_id
from tests.segmentation.conftest import Bank, Live, members
from tests.support import Running, eventually

PUXI = "hq.sh.puxi"


@pytest.fixture
async def client(segmentation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with segmentation.client(Role.strategist) as client:
        yield client


async def get(client: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(f"/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def then(client: httpx.AsyncClient, key: str, at: datetime) -> set[UUID]:
    found = await get(client, f"segments/{key}/members", as_of=at.isoformat(), limit=1000)
    return {UUID(item["customer_id"]) for item in found["items"]}


async def come_to_be(running: Running, key: str, wanted: set[UUID]) -> datetime:
    """Waits for these members; a moment after they were there."""

    async def arrived() -> bool:
        return await members(running, key) == wanted

    await eventually(arrived, what=f"the members of {key}")
    return clock.now()


def ref(customer: CustomerState) -> CustomerRef:
    return CustomerRef(customer_id=customer.customer_id, ordinal=customer.ordinal)


async def test_members_then_also_through_a_merge_and_an_archive(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    before = clock.now()
    one, two = (bank.customer(occupation="thatcher") for _ in range(2))
    await bank.tell(customers=[one, two])
    await live("thatchers", "occupation = 'thatcher'")
    both = await come_to_be(segmentation, "thatchers", {one.customer_id, two.customer_id})
    merge_id, now = new_id(), datetime.now(UTC)
    await segmentation.publish(
        CustomersMerged(
            merge_id=merge_id, survivor=ref(one), merged=[ref(two)], merged_at=now, merged_by="user:t"
        )
    )
    merged = await come_to_be(segmentation, "thatchers", {one.customer_id})
    await segmentation.publish(
        CustomersUnmerged(
            merge_id=merge_id,
            survivor=ref(one),
            separated=[SeparatedCustomer(**ref(two).model_dump())],
            unmerged_at=now + timedelta(seconds=1),
            unmerged_by="user:t",
        )
    )
    apart = await come_to_be(segmentation, "thatchers", {one.customer_id, two.customer_id})

    async def of_two(at: datetime) -> list[tuple[str, int]]:
        shown = await get(client, f"customers/{two.customer_id}/segments", as_of=at.isoformat())
        # Groups of models that other tests published may take them in, too.
        return [(each["key"], each["version"]) for each in shown["segments"] if each["key"] == "thatchers"]

    inside = [("thatchers", 1)]
    assert [await of_two(at) for at in (before, both, merged, apart)] == [[], inside, [], inside]
    etag = (await client.get("/v1/segments/thatchers")).headers["ETag"]
    gone = await client.request("DELETE", "/v1/segments/thatchers", headers={"If-Match": etag})
    assert gone.status_code == 200, gone.text
    archived = clock.now()
    found = [await then(client, "thatchers", at) for at in (before, both, merged, apart, archived)]
    everybody = {one.customer_id, two.customer_id}
    assert found == [set(), everybody, {one.customer_id}, everybody, set()]

    told = [await of_two(at) for at in (before, both, merged, apart, archived)]
    assert told == [[], inside, [], inside, []]
    for path in ("segments/thatchers/members", f"customers/{one.customer_id}/segments"):
        late = {"as_of": (clock.now() + timedelta(days=1)).isoformat()}
        refused = await client.get(f"/v1/{path}", params=late)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/as_of")


async def test_an_archived_segment_is_restored_as_a_draft(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    wheelwright = bank.customer(occupation="wheelwright")
    await bank.tell(customers=[wheelwright])
    await live("wheelwrights", "occupation = 'wheelwright'")
    alive = await client.post("/v1/segments/wheelwrights:restore")
    assert alive.status_code == 409
    etag = (await client.get("/v1/segments/wheelwrights")).headers["ETag"]
    await client.request("DELETE", "/v1/segments/wheelwrights", headers={"If-Match": etag})
    restored = await client.post("/v1/segments/wheelwrights:restore")
    assert restored.status_code == 200, restored.text
    assert (restored.json()["state"], restored.json()["live_version"], restored.json()["size"]) == (
        "draft",
        None,
        None,
    )
    assert (await client.post("/v1/segments/wheelwrights:publish")).status_code == 200
    await come_to_be(segmentation, "wheelwrights", {wheelwright.customer_id})
    log = (await get(client, "segments/wheelwrights/changes"))["items"]
    assert [entry["change"] for entry in log] == ["joined", "left", "joined"]


async def test_versions_tell_what_each_did(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    tanner, dyer = bank.customer(occupation="tanner"), bank.customer(occupation="dyer")
    await bank.tell(customers=[tanner, dyer])
    await live("hides", "occupation = 'tanner'")
    for sql in ("occupation = 'dyer'", "occupation = 'weaver'"):
        etag = (await client.get("/v1/segments/hides")).headers["ETag"]
        body = {"definition": {"sql": sql}}
        edited = await client.patch("/v1/segments/hides", json=body, headers={"If-Match": etag})
        assert edited.status_code == 200, edited.text
        if "dyer" in sql:
            await client.post("/v1/segments/hides:publish")
            await come_to_be(segmentation, "hides", {dyer.customer_id})
    first = await get(client, "segments/hides/versions", limit=2)
    rest = await get(client, "segments/hides/versions", cursor=first["next_cursor"])
    shown = [*first["items"], *rest["items"]]
    assert [(v["version"], v["live"], v["joined"], v["left"]) for v in shown] == [
        (3, False, None, None),
        (2, True, 1, 1),
        (1, False, 1, 0),
    ]
    assert shown[0]["definition"]["sql"] == "occupation = 'weaver'"
    assert shown[0]["evaluated_at"] is None


async def test_the_log_by_cause_time_direction_and_customer(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    one, two = bank.customer(occupation="smith"), bank.customer(occupation="smith", org=PUXI)
    await bank.tell(customers=[one])
    await live("smiths", "occupation = 'smith'")
    middle = await come_to_be(segmentation, "smiths", {one.customer_id})
    await bank.tell(customers=[two])
    await come_to_be(segmentation, "smiths", {one.customer_id, two.customer_id})
    await bank.tell(customers=[one.model_copy(update={"version": 2, "occupation": "retired"})])
    await come_to_be(segmentation, "smiths", {two.customer_id})

    async def log(**params: Any) -> list[tuple[str, str]]:
        found, cursor = [], None
        while True:
            page = await get(
                client, "segments/smiths/changes", limit=1, **params, **({"cursor": cursor} if cursor else {})
            )
            found += [(item["customer_id"], item["change"]) for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    first, second = str(one.customer_id), str(two.customer_id)
    assert await log() == [(first, "left"), (second, "joined"), (first, "joined")]
    assert await log(since=middle.isoformat()) == [(first, "left"), (second, "joined")]
    assert await log(until=middle.isoformat(), change="joined") == [(first, "joined")]
    assert await log(cause="profile") == [(first, "left"), (second, "joined")]
    assert await log(change="left") == [(first, "left")]
    assert await log(customer=second) == [(second, "joined")]
    async with segmentation.client(Role.strategist, org=PUXI) as puxi:
        seen = await get(puxi, "segments/smiths/changes")
        assert [item["customer_id"] for item in seen["items"]] == [second]
        assert (await puxi.get(f"/v1/segments/smiths/changes?customer={first}")).status_code == 404


async def test_the_trend_by_day_and_week_within_a_unit(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    """Changes written into the past: 3 join 9 days ago, 1 leaves 2 days ago, 1 comes today."""
    people = [bank.customer(occupation="fuller", org=PUXI if n == 3 else "hq.sh.pudong") for n in range(4)]
    await bank.tell(customers=people)
    segment = await live("fullers", "occupation = 'fuller'")
    numbers = [each.ordinal for each in people]
    today = clock.today()
    noon = datetime.combine(today, datetime.min.time(), clock.ZONE)
    async with segmentation.runtime.db.transaction() as session:
        (only,) = await session.scalars(
            select(MembershipDelta).where(MembershipDelta.segment_id == UUID(segment["id"]))
        )
        steps = [(9, numbers[:3], []), (2, [], numbers[:1]), (0, [numbers[0], numbers[3]], [])]
        for days, joined, left in steps:
            session.add(
                MembershipDelta(
                    segment_id=only.segment_id,
                    version=1,
                    run_id=new_id(),
                    cause="events",
                    evaluated_at=noon - timedelta(days=days),
                    size=0,
                    joined=BitMap(joined).serialize(),
                    left=BitMap(left).serialize(),
                )
            )
            await session.flush()
        await session.delete(only)
    since = (today - timedelta(days=10)).isoformat()
    points = (await get(client, "segments/fullers/trend", since=since))["points"]
    assert [(p["size"], p["joined"], p["left"]) for p in points] == [
        (None, 0, 0),
        (3, 3, 0),
        *[(3, 0, 0)] * 6,
        (2, 0, 1),
        (2, 0, 0),
        (4, 2, 0),
    ]
    weeks = (await get(client, "segments/fullers/trend", since=since, step="week"))["points"]
    assert sum(p["joined"] for p in weeks) == 5
    assert weeks[-1]["size"] == 4
    async with segmentation.client(Role.branch_head, org=PUXI) as puxi:
        here = (await get(puxi, "segments/fullers/trend", since=since))["points"]
    assert [(p["size"], p["joined"]) for p in here[-2:]] == [(0, 0), (1, 1)]
    for bad in (
        {"until": "2999-01-01"},
        {"since": "0001-01-01"},
        {"since": today.isoformat(), "until": (today - timedelta(days=1)).isoformat()},
        {"until": "0001-01-01"},
    ):
        refused = await client.get("/v1/segments/fullers/trend", params=bad)
        assert refused.status_code == 422, bad


def test_weeks_begin_on_monday() -> None:
    thursday = datetime(2026, 11, 19, tzinfo=UTC).date()
    assert [day.isoformat() for day in starts_of(thursday, thursday + timedelta(days=4), TrendStep.week)] == [
        "2026-11-16",
        "2026-11-23",
    ]


async def test_a_snapshot_stays_what_it_was(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    people = [bank.customer(occupation="potter", org=PUXI if n == 2 else "hq.sh.pudong") for n in range(3)]
    await bank.tell(customers=people)
    draft = {"key": "potters-draft", "name": {"zh": "x", "en": "x"}, "definition": {"sql": "age > 1"}}
    await client.post("/v1/segments", json=draft)
    assert (await client.post("/v1/segments/potters-draft:snapshot", json={})).status_code == 409
    await live("potters", "occupation = 'potter'")
    made = await client.post("/v1/segments/potters:snapshot", json={"purpose": "spring"})
    assert made.status_code == 201, made.text
    path = made.headers["Location"].removeprefix("/v1/")
    ids = sorted(each.customer_id.bytes for each in people)
    assert (made.json()["size"], made.json()["digest"]) == (3, hashlib.sha256(b"".join(ids)).hexdigest())

    async def frozen(by: httpx.AsyncClient = client) -> set[UUID]:
        return {UUID(item["customer_id"]) for item in (await get(by, f"{path}/members"))["items"]}

    one, two, far = people
    await segmentation.publish(
        CustomersMerged(
            merge_id=new_id(),
            survivor=ref(one),
            merged=[ref(two)],
            merged_at=datetime.now(UTC),
            merged_by="user:t",
        )
    )
    await come_to_be(segmentation, "potters", {one.customer_id, far.customer_id})
    assert await frozen() == {each.customer_id for each in people}
    columnar = await client.get(f"/v1/{path}/members", headers={"Accept": ARROW})
    table = pa.ipc.open_stream(io.BytesIO(columnar.content)).read_all()
    assert set(table["customer_id"].to_pylist()) == {str(each.customer_id) for each in people}
    async with segmentation.client(Role.strategist, org=PUXI) as puxi:
        assert (await puxi.get(f"/v1/{path}")).status_code == 404
        own = await puxi.post("/v1/segments/potters:snapshot", json={})
        assert (own.json()["size"], own.json()["org"]) == (1, PUXI)
        assert [each["size"] for each in (await get(puxi, "snapshots", segment="potters"))["items"]] == [1]
    assert [each["size"] for each in (await get(client, "snapshots", segment="potters"))["items"]] == [1, 3]
    erased = CustomerErased(receipt_id=new_id(), customers=[ref(far)], erased_at=datetime.now(UTC))
    await segmentation.publish(erased)

    async def taken_out() -> bool:
        return bool((await get(client, path))["erased"] == 1)

    await eventually(taken_out, what="the erasure")
    assert await frozen() == {one.customer_id, two.customer_id}
    after = await get(client, path)
    assert (after["size"], after["digest"]) == (3, made.json()["digest"])
    async with segmentation.runtime.db.transaction() as session:
        kept = await session.scalars(
            select(SegmentSnapshot.members).join(Segment).where(Segment.key == "potters")
        )
        assert all(far.ordinal not in BitMap.deserialize(each) for each in kept)
