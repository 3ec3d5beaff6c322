"""BankChurners: credit card customers, the file as published and nothing but a mapping."""

import csv
import gzip
from pathlib import Path

from tests.data.conftest import Loader

SOURCE = "bankchurners"
CARDS = {name: f"card-{name.lower()}" for name in ("Blue", "Silver", "Gold", "Platinum")}


async def test_customers_and_their_cards(loader: Loader, data_sets: Path) -> None:
    content = (data_sets / "bankchurners" / "BankChurners.csv.gz").read_bytes()
    rows = list(csv.DictReader(gzip.decompress(content).decode().splitlines()))
    for code in CARDS.values():
        await loader.product(code, "card")
    customers = {
        "source_id": {"column": "CLIENTNUM"},
        "kind": {"constant": "person"},
        "name": {"template": "Client {CLIENTNUM}"},
        "gender": {"column": "Gender"},
        "org": {"constant": "hq"},
    }
    assert await loader.load("customers", content, customers) == {"rows": 10_127, "created": 10_127}
    cards = {
        "source_id": {"column": "CLIENTNUM"},
        "account": {"template": "card-{CLIENTNUM}"},
        "product": {"column": "Card_Category", "values": CARDS},
        "balance": {"column": "Total_Revolving_Bal"},
        "currency": {"constant": "USD"},
        "as_of": {"constant": "2026-10-31"},
    }
    assert await loader.load("holdings", content, cards) == {"rows": 10_127, "created": 10_127}
    found = await loader.sql(
        "SELECT count(*), sum(balance), count(*) FILTER (WHERE product = 'card-blue'),"
        " count(*) FILTER (WHERE gender = 'F')"
        " FROM holding JOIN source_identity s USING (customer_id) JOIN customer c ON c.id = customer_id"
        " WHERE source = :source"
    )
    assert found == (
        10_127,
        sum(int(row["Total_Revolving_Bal"]) for row in rows),
        sum(row["Card_Category"] == "Blue" for row in rows),
        sum(row["Gender"] == "F" for row in rows),
    )
