"""Online Retail: every line of a year's invoices is a card spend; cancelled ones are negative.

A line has no number of its own and some lines repeat word for word, so an event's id holds the number of the
row. A quarter of the lines name no customer: they go to quarantine, where somebody may find out whose they are.
"""

import csv
import gzip
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tests.data.conftest import Loader

SOURCE = "retail"
CENT = Decimal("0.01")

SPENDS = {
    "id": {"template": "{InvoiceNo}-{#}"},
    "type": {"constant": "card.spent"},
    "subject": {"column": "CustomerID"},
    "time": {"column": "InvoiceDate"},
    "data.amount": {"column": "Quantity", "times": "UnitPrice"},
    "data.currency": {"constant": "GBP"},
    "data.reference": {"column": "InvoiceNo"},
    "data.category": {"column": "StockCode"},
    "data.merchant": {"constant": "Online Retail"},
}


def _amount(row: dict[str, str]) -> Decimal:
    exact = int(row["Quantity"]) * Decimal(row["UnitPrice"])
    return exact.quantize(CENT, ROUND_HALF_UP)


@pytest.mark.timeout(900)
async def test_every_line_is_taken_or_accounted_for(loader: Loader, data_sets: Path) -> None:
    content = (data_sets / "online_retail" / "online_retail.csv.gz").read_bytes()
    rows = list(csv.DictReader(gzip.decompress(content).decode().splitlines()))
    named = [row for row in rows if row["CustomerID"]]
    ids = sorted({row["CustomerID"] for row in named})
    customers = {
        "source_id": {"column": "CustomerID"},
        "kind": {"constant": "company"},
        "name": {"template": "Buyer {CustomerID}"},
        "org": {"constant": "hq"},
    }
    file = "\n".join(["CustomerID,x", *(f"{i}," for i in ids)]).encode()
    assert await loader.load("customers", file, customers) == {"rows": 4372, "created": 4372}
    assert await loader.load("events", content, SPENDS) == {
        "rows": 541_909,
        "created": 406_829,
        "quarantined": 135_080,
    }
    amounts = [_amount(row) for row in named]
    cancelled = [a for a, row in zip(amounts, named, strict=True) if row["InvoiceNo"].startswith("C")]
    events, total, reversals, reversed_sum, customers_seen = await loader.sql(
        "SELECT count(*), sum((data->>'amount')::numeric),"
        " count(*) FILTER (WHERE data->>'reference' LIKE 'C%'),"
        " sum((data->>'amount')::numeric) FILTER (WHERE (data->>'amount')::numeric < 0),"
        " count(DISTINCT customer_id) FROM customer_event WHERE source = :source"
    )
    assert (events, customers_seen) == (406_829, 4372)
    assert (total, reversals, reversed_sum) == (sum(amounts), len(cancelled), sum(cancelled))
    repeated = sum(n - 1 for n in Counter(tuple(row.values()) for row in named).values())
    print(
        f"{repeated} lines repeat word for word; {reversals} reversals of {reversed_sum} GBP; {total} GBP in all"
    )
    assert repeated > 0
    aside = await loader.sql(
        "SELECT count(*), count(*) FILTER (WHERE state = 'open'), count(DISTINCT reason)"
        " FROM quarantined_event WHERE source = :source"
    )
    assert aside == (135_080, 135_080, 1)
