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


PUBLISHED = {"rows": 541_909, "created": 406_829, "quarantined": 135_080}
CUSTOMERS = 4_372


@pytest.mark.parametrize("lines", [30_000, pytest.param(None, id="all", marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
async def test_every_line_is_taken_or_accounted_for(
    loader: Loader, data_sets: Path, lines: int | None
) -> None:
    """The first month, or the whole year as it was published."""
    packed = (data_sets / "online_retail" / "online_retail.csv.gz").read_bytes()
    text = gzip.decompress(packed).decode().splitlines(keepends=True)
    content = packed if lines is None else gzip.compress("".join(text[: lines + 1]).encode())
    rows = list(csv.DictReader(text[: None if lines is None else lines + 1]))
    named = [row for row in rows if row["CustomerID"]]
    ids = sorted({row["CustomerID"] for row in named})
    counts = {"rows": len(rows), "created": len(named), "quarantined": len(rows) - len(named)}
    if lines is None:
        assert (counts, len(ids)) == (PUBLISHED, CUSTOMERS)
    customers = {
        "source_id": {"column": "CustomerID"},
        "kind": {"constant": "company"},
        "name": {"template": "Buyer {CustomerID}"},
        "org": {"constant": "hq"},
    }
    file = "\n".join(["CustomerID,x", *(f"{i}," for i in ids)]).encode()
    assert await loader.load("customers", file, customers) == {"rows": len(ids), "created": len(ids)}
    assert await loader.load("events", content, SPENDS) == counts
    amounts = [_amount(row) for row in named]
    cancelled = [a for a, row in zip(amounts, named, strict=True) if row["InvoiceNo"].startswith("C")]
    events, total, reversals, reversed_sum, customers_seen = await loader.sql(
        "SELECT count(*), sum((data->>'amount')::numeric),"
        " count(*) FILTER (WHERE data->>'reference' LIKE 'C%'),"
        " sum((data->>'amount')::numeric) FILTER (WHERE (data->>'amount')::numeric < 0),"
        " count(DISTINCT customer_id) FROM customer_event WHERE source = :source"
    )
    assert (events, customers_seen) == (counts["created"], len(ids))
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
    assert aside == (counts["quarantined"], counts["quarantined"], 1)
