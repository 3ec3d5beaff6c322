"""A store filled from exports equals the one that followed the stream; a restart resumes."""

from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from services.segmentation.app import service
from services.segmentation.store.store import Store
from services.segmentation.usecases.bootstrap import bootstrap
from services.segmentation.usecases.feed import STREAM, CustomerFeed
from shared.auth import Role
from shared.worker import running
from tests.segmentation.conftest import Bank, Live
from tests.support import Running, environment, eventually

MADE = {200, 201, 428}
"""Created, the same as before, or made differently by another test of the session."""


def _facts(store: Store) -> dict[str, list[tuple[object, ...]]]:
    owner = {"relation": "ordinal_from"}
    with store.read() as cursor:
        return {
            table: cursor.execute(
                f"SELECT * FROM {table} WHERE {owner.get(table, 'ordinal')} IN "
                "(SELECT ordinal FROM customer WHERE org = 'hq.boot') ORDER BY ALL"
            ).fetchall()
            for table in ("customer", "holding", "holding_latest", "event", "relation", "value")
        }


async def _small_bank(customer: Running) -> None:
    admin = customer.client(Role.admin)
    for code, level in (("hq", "hq"), ("hq.boot", "subbranch")):
        body = {"level": level, "name": {"zh": code, "en": code}}
        assert (await admin.put(f"/v1/orgs/{code}", json=body)).status_code in MADE
    product = {"name": {"zh": "活期", "en": "Demand"}, "category": "demand", "risk": "R1", "margin": "0.01"}
    assert (await admin.put("/v1/products/demand-deposit", json=product)).status_code in MADE
    for number in range(5):
        person = {
            "kind": "person",
            "name": f"客户{number}",
            "identities": [{"source": "boot", "source_id": f"B{number}"}],
            "org": "hq.boot",
            "birth_date": f"198{number}-02-28",
            "consents": {"sms": True} if number % 2 else {},
        }
        created = await admin.post("/v1/customers", json=person)
        assert created.status_code == 201, created.text
    holdings = [
        {
            "source": "boot",
            "source_id": f"B{number}",
            "account": f"BA{number}",
            "product": "demand-deposit",
            "balance": f"{number}00.50",
            "as_of": day,
        }
        for number in range(5)
        for day in ("2026-08-01", "2026-11-01", "2026-09-15")
    ]
    taken = await admin.post("/v1/holdings", json={"items": holdings})
    assert taken.status_code == 200, taken.text
    source = customer.client(key=customer.servers.api_key("boot"))
    events = [
        {
            "specversion": "1.0",
            "id": f"boot-{number}",
            "source": "boot",
            "type": "login",
            "subject": f"B{number % 5}",
            "time": f"2026-11-{10 + number}T08:00:00+08:00",
            "data": {"channel": "mobile"},
        }
        for number in range(9)
    ]
    media = {"Content-Type": "application/cloudevents-batch+json"}
    posted = await source.post("/v1/events", json=events, headers=media)
    assert posted.status_code == 200, posted.text


async def _login(customer: Running, number: int, source_id: str) -> None:
    source = customer.client(key=customer.servers.api_key("boot"))
    event = {
        "specversion": "1.0",
        "id": f"boot-{number}",
        "source": "boot",
        "type": "login",
        "subject": source_id,
        "time": "2026-11-20T08:00:00+08:00",
        "data": {"channel": "mobile"},
    }
    media = {"Content-Type": "application/cloudevents-batch+json"}
    posted = await source.post("/v1/events", json=[event], headers=media)
    assert posted.status_code == 200, posted.text


async def _merge_some(customer: Running) -> None:
    """One merge in force with an event recorded since, and one taken back."""
    async with customer.client(Role.admin) as admin:
        found = (await admin.get("/v1/customers", params={"org": "hq.boot", "limit": 100})).json()["items"]
        first, second, third, *_ = sorted(item["id"] for item in found if item["org"] == "hq.boot")
        for survivor, loser, stays in ((third, first, False), (second, first, True)):
            body = {"survivor": survivor, "merged": [loser], "reason": "same person"}
            merged = await admin.post("/v1/customers:merge", json=body)
            assert merged.status_code == 200, merged.text
            if not stays:
                undone = await admin.post(
                    f"/v1/merges/{merged.json()['merge_id']}:undo", json={"reason": "was not"}
                )
                assert undone.status_code == 200, undone.text
    for number, source_id in enumerate(("B0", "B1", "B2"), 50):
        await _login(customer, number, source_id)


async def _relate_and_value(customer: Running) -> None:
    """Relations of customers who will be merged, and a month calculated twice around it."""
    async with customer.client(Role.admin) as admin:
        ends = [{"identity": {"source": "boot", "source_id": f"B{number}"}} for number in range(5)]
        items = [
            {"from": ends[number], "to": ends[number + 1], "kind": "associate", "valid_from": day}
            for number, day in enumerate(("2026-01-01", "2026-02-01", None))
        ]
        related = await admin.post("/v1/relationships", json={"items": items})
        assert related.status_code == 200, related.text
        model = {
            "name": {"zh": "贡献", "en": "Value"},
            "peers": {"by": ["kind"], "minimum": 1},
            "rates": await _rates(customer),
        }
        assert (await admin.put("/v1/value-models/boot", json=model)).status_code in MADE


async def _rates(customer: Running) -> list[dict[str, str]]:
    """For whatever currencies other tests have brought to this bank."""
    async with customer.runtime.db.transaction() as session:
        found = await session.execute(
            text("SELECT currency FROM holding UNION SELECT data ->> 'currency' FROM customer_event")
        )
        return [
            {"month": "2026-10", "currency": currency, "rate": "1.5"}
            for (currency,) in found
            if currency not in {None, "CNY"}
        ]


async def _calculate(customer: Running, reason: str | None = None) -> None:
    async with customer.client(Role.admin) as admin:
        body = {"month": "2026-10", **({"reason": reason} if reason else {})}
        started = await admin.post("/v1/value-models/boot:run", json=body)
        assert started.status_code == 202, started.text

        async def done() -> bool:
            return bool((await admin.get(started.headers["Location"])).json()["state"] == "succeeded")

        await eventually(done, what="the calculation")


async def test_rebuilt_from_exports_equals_the_streamed_store(
    customer: Running, segmentation: Running, tmp_path: Path
) -> None:
    await _small_bank(customer)
    await _relate_and_value(customer)
    await _calculate(customer)
    await _merge_some(customer)
    await _calculate(customer, "merged since")
    feed = segmentation.runtime.resource(CustomerFeed)

    async def told() -> bool:
        facts = _facts(feed.store)
        return (
            all(
                len(facts[name]) >= least for name, least in (("customer", 5), ("holding", 15), ("event", 10))
            )
            and sum(row[-1] is not None for row in facts["customer"]) == 1
            and len(facts["relation"]) == 3
            and {row[4] for row in facts["value"]} == {2}
        )

    await eventually(told, what="the stream")
    rebuilt = Store(tmp_path / "rebuilt.duckdb")
    transport = httpx.ASGITransport(customer.app)
    headers = {"Authorization": f"Bearer {customer.servers.token(Role.admin)}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://customer", headers=headers) as client:
        sequence = await segmentation.runtime.bus.last_sequence(STREAM)
        await bootstrap(rebuilt, client, STREAM, sequence)
    try:
        streamed, exported = _facts(feed.store), _facts(rebuilt)
        for table, rows in streamed.items():
            assert exported[table] == rows, table
        # The merged customer's facts, old and new, are the survivor's, and know where they came from.
        assert sum(home != ordinal for _, home, ordinal, *_ in streamed["event"]) >= 2
        assert len(streamed["value"]) == 5
        assert any(row[-1] is not None for row in streamed["value"])  # the potential
        assert sum((row[2], row[4]) != (row[3], row[5]) for row in streamed["relation"]) >= 1
        assert rebuilt.watermark(STREAM) == sequence
    finally:
        rebuilt.close()


async def test_a_process_whose_store_is_not_filled_leaves_jobs_to_others(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    await bank.tell(customers=[bank.customer(occupation="idler")])
    await live("idlers", "occupation = 'idler'")
    async with AsyncExitStack() as stack:
        with environment(segmentation.servers.environment("segmentation") | {"HUANYING_STORE_FILE": "never"}):
            other = await stack.enter_async_context(running(service, feeds=True, worker=True))
        client = await stack.enter_async_context(segmentation.client(Role.strategist))
        # More than one process takes up at a time.
        started = [await client.post("/v1/segments/idlers:refresh") for _ in range(12)]

        async def done() -> bool:
            jobs = [(await client.get(each.headers["Location"])).json() for each in started]
            return all(each["state"] == "succeeded" for each in jobs)

        await eventually(done, what="every job")
        assert other.resource(CustomerFeed).watermark(STREAM) == 0


async def test_a_failed_export_leaves_the_store_as_it_was(segmentation: Running, tmp_path: Path) -> None:
    store = Store(tmp_path / "empty.duckdb")
    transport = httpx.ASGITransport(segmentation.app)  # a service without exports: 404
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(httpx.HTTPStatusError):
            await bootstrap(store, client, STREAM, 5)
    assert store.watermark(STREAM) is None
    store.close()


def test_an_outdated_store_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "old.duckdb"
    store = Store(file)
    with store.write() as cursor:
        cursor.execute("UPDATE store_version SET version = 0")
        cursor.execute("INSERT INTO watermark VALUES ('CUSTOMER', 7)")
    store.close()
    fresh = Store(file)
    assert fresh.watermark(STREAM) is None
    fresh.close()


def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.duckdb")

    def fail() -> None:
        with store.write() as cursor:
            cursor.execute("INSERT INTO watermark VALUES ('CUSTOMER', 7)")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fail()
    assert store.watermark(STREAM) is None
    store.close()
