"""The Czech tables become the same datasets, with nothing lost on the way."""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import jsonschema_rs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from deploy.demo.bank import Bank
from deploy.demo.berka import BerkaBank, read_bank
from deploy.demo.berka.tables import BerkaError, births, days
from services.customer.domain.event_schemas import BUILT_IN

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("HUANYING_DATA", ROOT.parent / "shared" / "data")) / "berka_partial"
LAST_DAY = date(2026, 11, 20)
ANY_TIME = datetime(2026, 10, 21, tzinfo=UTC)

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the public tables are not at {DATA}")


@pytest.fixture(scope="module")
def berka() -> BerkaBank:
    return read_bank(DATA, LAST_DAY)


def test_a_directory_without_the_tables_says_so(tmp_path: Path) -> None:
    with pytest.raises(BerkaError, match=r"no account\.asc"):
        read_bank(tmp_path, LAST_DAY)


def test_birth_numbers_hide_the_sex_in_the_month() -> None:
    born, female = births(pa.chunked_array([["706213", "450204"]]))
    assert [str(day) for day in born] == ["1970-12-13", "1945-02-04"]
    assert female.tolist() == [True, False]
    assert [str(day) for day in days(pa.chunked_array([["931107 00:00:00"]]))] == ["1993-11-07"]


@needs_data
def test_columns_are_those_of_the_synthetic_bank(berka: BerkaBank, bank: Bank) -> None:
    for name in ("orgs", "staff", "products", "customers", "relationships"):
        assert getattr(berka, name).schema.names == getattr(bank, name).schema.names, name
    for ours, theirs in ((berka.events(), bank.events()), (berka.holdings(), bank.holdings())):
        assert next(ours).schema == next(theirs).schema


@needs_data
def test_last_transaction_falls_on_the_last_day(berka: BerkaBank) -> None:
    history = pa.Table.from_batches(berka.events())
    later = berka.outcomes(pa.table({}), ANY_TIME)
    assert pc.max(later["time"]).as_py().date() == LAST_DAY
    assert pc.max(history["time"]).as_py().date() == berka.business_date == date(2026, 10, 20)
    assert pc.min(later["time"]).as_py().date() > berka.business_date
    assert pc.count_distinct(history["id"]).as_py() == history.num_rows


@needs_data
def test_every_district_is_a_sub_branch_of_its_region(berka: BerkaBank) -> None:
    levels = berka.orgs["level"].to_pylist()
    assert levels.count("subbranch") == 77
    assert levels.count("tier1") == levels.count("tier2") == 8
    assert set(berka.customers["org"].to_pylist()) <= set(berka.orgs["code"].to_pylist())


@needs_data
def test_postings_of_known_accounts_are_all_there(berka: BerkaBank) -> None:
    """Only those of accounts opened in the last month, whose owners were no customers yet, are left out."""
    taken = sum(b.num_rows for b in berka.events()) + berka.outcomes(pa.table({}), ANY_TIME).num_rows
    known = np.isin(berka.tables.trans["account_id"].to_numpy(), berka.owned.account).sum()
    opened = pc.is_in(pa.Table.from_batches(berka.events())["type"], pa.array(["product.opened"]))
    later = pc.equal(berka.outcomes(pa.table({}), ANY_TIME)["type"], "product.opened")
    assert taken - pc.sum(opened).as_py() - pc.sum(later).as_py() == known > 48_000


@needs_data
def test_payloads_satisfy_their_schemas(berka: BerkaBank) -> None:
    events = pa.Table.from_batches(berka.events())
    validators = {
        kind: jsonschema_rs.validator_for({**BUILT_IN[kind][2], "additionalProperties": False})
        for kind in ("transaction.posted", "product.opened")
    }
    for kind, data in zip(events["type"].to_pylist(), events["data"].to_pylist(), strict=True):
        validators[kind].validate(json.loads(data))


@needs_data
def test_holdings_are_balances_the_file_states(berka: BerkaBank) -> None:
    holdings = pa.Table.from_batches(berka.holdings())
    assert pc.all(pc.less_equal(holdings["opened_on"], holdings["as_of"])).as_py()
    accounts = holdings.filter(pc.field("product") == "current-account")
    last = accounts.filter(pc.field("as_of") == date(2026, 9, 30)).to_pylist()
    stated: dict[str, str] = {}
    for row in pa.Table.from_batches(berka.events()).to_pylist():
        if row["type"] == "transaction.posted" and row["time"].date() <= date(2026, 9, 30):
            data = json.loads(row["data"])
            stated[data["account"]] = data["balance_after"]
    assert len(last) > 900
    assert all(str(row["balance"]) == stated[row["account"]] for row in last)


@needs_data
def test_nobody_was_called_so_there_is_no_true_effect(berka: BerkaBank) -> None:
    some = berka.customers["source_id"].combine_chunks().slice(0, 200)
    found = berka.answers(some)
    assert found.disposition.tolist() == berka.answers(some).disposition.tolist()
    assert set(found.disposition) > {"accepted", "refused", "no_answer"}
    assert berka.true_effect(some) is None
