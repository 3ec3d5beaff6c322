"""Balances from before the store followed them come from the customer service's export."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import httpx
import pyarrow as pa
import pytest

from services.evaluation.store import Store, open_store
from services.evaluation.store.backfill import HOLDINGS
from services.evaluation.usecases.backfill import fill_holdings
from shared.contracts.events import HoldingsChanged
from shared.ids import new_id
from tests.evaluation.test_merges import erased, merged
from tests.evaluation.test_quantities import DAY, Town, balance, held

_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("customer_id", "home_id", "account", "product", "category")),
        ("currency", pa.string()),
        ("as_of", pa.date32()),
        ("balance", pa.decimal128(18, 2)),
        ("closed", pa.bool_()),
    ]
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "evaluation.duckdb", memory="512MB", threads=2)
    yield opened
    opened.close()


def row(customer: UUID, day: date, amount: str, home: UUID | None = None) -> dict[str, object]:
    return {
        "customer_id": str(customer),
        "home_id": str(home) if home else None,
        "account": "a",
        "product": "P1",
        "category": "demand",
        "currency": "CNY",
        "as_of": day,
        "balance": Decimal(amount),
        "closed": False,
    }


def customer_service(*rows: dict[str, object], down: bool = False) -> httpx.AsyncClient:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA) as writer:
        writer.write_table(pa.Table.from_pylist(list(rows), _SCHEMA))

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/exports/holdings"
        return httpx.Response(503 if down else 200, content=bytes(sink.getvalue()))

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://customer")


def test_days_told_before_come_by_export_once_and_what_the_stream_told_stays(
    store: Store, tmp_path: Path
) -> None:
    town = Town(store)
    mine, merged_away, survivor, gone = *town.assign("call", 3), new_id()
    town.tell("CUSTOMER", merged(survivor, merged_away), erased(gone))
    town.tell("CUSTOMER", HoldingsChanged(holdings=held(mine, (20, "150.00"))))
    before = DAY - timedelta(days=30)
    client = customer_service(
        row(mine, before, "100.00"),
        row(mine, DAY + timedelta(days=20), "999.00"),
        row(survivor, before, "40.00", home=merged_away),
        row(gone, before, "1.00"),
    )
    for _ in range(2):
        asyncio.run(fill_holdings(store, client, tmp_path))
    moments = town.moments(balance())
    # Both files of the merged person were assigned: one of them counts, with what both hold.
    assert (moments.n, moments.mean_y * 2, moments.mean_x * 2) == (2, 50, 140)
    rows = asyncio.run(store.read(lambda cursor: cursor.execute("FROM holding").fetchall()))
    assert len(rows) == 3


def test_without_the_export_the_store_stays_as_it_is(store: Store, tmp_path: Path) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        asyncio.run(fill_holdings(store, customer_service(down=True), tmp_path))
    assert not store.has_begun(HOLDINGS)
