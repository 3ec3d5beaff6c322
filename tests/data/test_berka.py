"""Berka: a Czech bank of 1993. Joins are made here; encoding, dialect, dates and words are the import's."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest

from tests.data.conftest import Loader

SOURCE = "berka"
DISTRICTS = 77


@pytest.fixture(scope="module")
def tables(data_sets: Path) -> "Tables":
    return Tables(data_sets / "berka_partial")


class Tables:
    """The tables as published, every value as text."""

    def __init__(self, directory: Path) -> None:
        self.client, self.account, self.disp = (
            _read(directory / f"{n}.asc.gz") for n in ("client", "account", "disp")
        )
        self.trans = _read(next(directory.glob("trans_1993*.asc.gz")))
        owners = self.disp.filter(pc.equal(self.disp["type"], "OWNER"))
        self.owner = owners.select(["account_id", "client_id"])


def _read(file: Path) -> pa.Table:
    with pa.input_stream(str(file), compression="gzip") as stream:
        head = stream.read(4096).split(b"\n", 1)[0].decode("latin-1")
    names = [name.strip('"\r') for name in head.split(";")]
    with pa.input_stream(str(file), compression="gzip") as stream:
        return pa.csv.read_csv(
            stream,
            read_options=pa.csv.ReadOptions(encoding="latin-1"),
            parse_options=pa.csv.ParseOptions(delimiter=";"),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True
            ),
        )


def _write(table: pa.Table) -> bytes:
    """As the source writes: semicolons, quotes, latin-1."""
    lines = [";".join(f'"{name}"' for name in table.column_names)]
    lines += [";".join(f'"{value or ""}"' for value in row.values()) for row in table.to_pylist()]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def _births(numbers: Iterator[str]) -> tuple[list[str], list[str]]:
    """YYMMDD of the century; a woman's month has 50 added."""
    days, sexes = [], []
    for number in numbers:
        month = int(number[2:4])
        sexes.append("F" if month > 50 else "M")
        days.append(f"19{number[:2]}-{month % 50:02d}-{number[4:]}")
    return days, sexes


@pytest.mark.slow
async def test_the_whole_bank(loader: Loader, tables: Tables) -> None:
    await loader.org("hq.cz", "tier1")
    for district in range(1, DISTRICTS + 1):
        await loader.org(f"hq.cz.d{district}")
    await loader.product("current-account", "demand")
    await _clients(loader, tables)
    await _accounts(loader, tables)
    await _transactions(loader, tables)


async def _clients(loader: Loader, tables: Tables) -> None:
    days, sexes = _births(tables.client["birth_number"].to_pylist())
    table = tables.client.append_column("born", [days]).append_column("sex", [sexes])
    mapping = {
        "source_id": {"template": "K{client_id}"},
        "kind": {"constant": "person"},
        "name": {"template": "Client {client_id}"},
        "gender": {"column": "sex"},
        "birth_date": {"column": "born"},
        "org": {"template": "hq.cz.d{district_id}"},
        "consent_call": {"constant": "true"},
    }
    counts = await loader.load("customers", _write(table), mapping, encoding="latin-1", delimiter=";")
    assert counts == {"rows": 5369, "created": 5369}
    found = await loader.sql(
        "SELECT count(*), count(*) FILTER (WHERE gender = 'F'), min(birth_date)::text, count(DISTINCT org_path)"
        " FROM customer JOIN source_identity s ON s.customer_id = id WHERE source = :source"
    )
    assert found == (5369, sexes.count("F"), min(days), DISTRICTS)


async def _accounts(loader: Loader, tables: Tables) -> None:
    """Every account has one owner; on the day it is opened it holds nothing."""
    table = tables.account.join(tables.owner, "account_id")
    mapping = {
        "source_id": {"template": "K{client_id}"},
        "account": {"template": "A{account_id}"},
        "product": {"constant": "current-account"},
        "balance": {"constant": "0.00"},
        "currency": {"constant": "CZK"},
        "as_of": {"column": "date", "date_format": "%y%m%d"},
        "opened_on": {"column": "date", "date_format": "%y%m%d"},
    }
    assert await loader.load("holdings", _write(table), mapping) == {"rows": 4500, "created": 4500}
    opened = sorted(tables.account["date"].to_pylist())
    found = await loader.sql(
        "SELECT count(*), to_char(min(opened_on), 'YYMMDD'), to_char(max(opened_on), 'YYMMDD')"
        " FROM holding JOIN source_identity s USING (customer_id) WHERE source = :source"
    )
    assert found == (4500, opened[0], opened[-1])


async def _transactions(loader: Loader, tables: Tables) -> None:
    table = tables.trans.join(tables.owner, "account_id")
    mapping = {
        "id": {"template": "tx-{trans_id}"},
        "type": {"constant": "transaction.posted"},
        "subject": {"template": "K{client_id}"},
        "time": {"column": "date", "date_format": "%y%m%d"},
        "data.account": {"template": "A{account_id}"},
        "data.product": {"constant": "current-account"},
        "data.amount": {"column": "amount"},
        "data.currency": {"constant": "CZK"},
        "data.direction": {"column": "type", "values": {"PRIJEM": "in", "VYDAJ": "out", "VYBER": "out"}},
        "data.channel": {
            "column": "operation",
            "values": {
                "VKLAD": "cash",
                "VYBER": "cash",
                "PREVOD Z UCTU": "transfer",
                "PREVOD NA UCET": "transfer",
            },
            "otherwise": "other",
        },
        "data.category": {"column": "k_symbol", "trim": True},
        "data.balance_after": {"column": "balance"},
    }
    content = _write(table)
    assert await loader.load("events", content, mapping) == {"rows": 49_102, "created": 49_102}
    amounts = {"PRIJEM": Decimal(0), "VYDAJ": Decimal(0), "VYBER": Decimal(0)}
    for kind, amount in zip(*(table[name].to_pylist() for name in ("type", "amount")), strict=True):
        amounts[kind] += Decimal(amount)
    found = await loader.sql(
        "SELECT count(*), sum((data->>'amount')::numeric) FILTER (WHERE data->>'direction' = 'in'),"
        " sum((data->>'amount')::numeric) FILTER (WHERE data->>'direction' = 'out')"
        " FROM customer_event WHERE source = :source"
    )
    assert found == (49_102, amounts["PRIJEM"], amounts["VYDAJ"] + amounts["VYBER"])
    assert await loader.load("events", content, mapping) == {"rows": 49_102, "unchanged": 49_102}
