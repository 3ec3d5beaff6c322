"""The synthetic bank: the same every time, any size, and its books add up."""

import hashlib
import json
from collections import Counter
from datetime import date
from pathlib import Path

import jsonschema_rs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from deploy.demo.bank import Bank, generate, write
from deploy.demo.bank.accounts import MONTHS, month_ends
from deploy.demo.bank.generate import BLOCK, ZONE
from services.customer.domain.event_schemas import BUILT_IN

BUSINESS_DATE = date(2026, 10, 16)


def digest(bank: Bank) -> str:
    found = hashlib.sha256()
    tables = [bank.orgs, bank.staff, bank.products, bank.customers, bank.relationships, bank.truth]
    tables += [pa.Table.from_batches(bank.holdings()), pa.Table.from_batches(bank.events())]
    for table in tables:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        found.update(sink.getvalue())
    return found.hexdigest()


def test_same_seed_same_bank() -> None:
    first, again, other = (generate(1_000, seed, BUSINESS_DATE) for seed in (3, 3, 4))
    assert digest(first) == digest(again)
    assert digest(first) != digest(other)


@pytest.mark.parametrize("customers", [1, 1_000, BLOCK + 1])
def test_any_size(customers: int) -> None:
    bank = generate(customers, 1, BUSINESS_DATE)
    assert bank.customers.num_rows == bank.truth.num_rows == customers
    assert pc.count_distinct(bank.customers["source_id"]).as_py() == customers
    assert {"hq", "tier1", "tier2", "subbranch"} == set(bank.orgs["level"].to_pylist())


def test_events_per_customer_is_a_parameter() -> None:
    for wanted in (12.0, 20.0, 40.0):
        bank = generate(4_000, 1, BUSINESS_DATE, events_per_customer=wanted)
        events = sum(batch.num_rows for batch in bank.events())
        assert events / 4_000 == pytest.approx(wanted, rel=0.1)


def test_batches_are_bounded_and_ids_unique(bank: Bank) -> None:
    batches = list(bank.events(chunk=10_000))
    assert max(batch.num_rows for batch in batches) <= 10_000
    events = pa.Table.from_batches(batches)
    assert pc.count_distinct(events["id"]).as_py() == events.num_rows


def test_events_lie_in_the_year_before_the_business_date(bank: Bank) -> None:
    times = pa.Table.from_batches(bank.events())["time"]
    assert str(times.type) == f"timestamp[s, tz={ZONE}]"
    assert pc.max(times).as_py().date() == BUSINESS_DATE
    assert (BUSINESS_DATE - pc.min(times).as_py().date()).days < 365


def test_every_payload_satisfies_its_schema(bank: Bank) -> None:
    events = pa.Table.from_batches(bank.events())
    validators = {
        name: jsonschema_rs.validator_for({**schema, "additionalProperties": False})
        for name, (_, _, schema) in BUILT_IN.items()
    }
    seen: Counter[str] = Counter()
    for kind, data in zip(events["type"].to_pylist(), events["data"].to_pylist(), strict=True):
        seen[kind] += 1
        validators[kind].validate(json.loads(data))
    assert len(seen) == 11


def test_organisation_is_a_tree_and_staff_have_a_place(bank: Bank) -> None:
    codes = set(bank.orgs["code"].to_pylist())
    for code, parent in zip(bank.orgs["code"].to_pylist(), bank.orgs["parent"].to_pylist(), strict=True):
        assert (parent is None) == (code == "hq")
        assert parent is None or (parent in codes and code.startswith(f"{parent}."))
    assert set(bank.staff["org"].to_pylist()) <= codes
    head_office = {r["role"] for r in bank.staff.to_pylist() if r["org"] == "hq"}
    assert head_office == {"strategist", "approver", "admin", "auditor"}
    heads = Counter(r["org"] for r in bank.staff.to_pylist() if r["role"] == "branch_head")
    assert set(heads.values()) == {1}
    assert set(bank.customers["org"].to_pylist()) <= set(heads)


def test_managers_work_where_the_customer_is(bank: Bank) -> None:
    place = {row["code"]: row["org"] for row in bank.staff.to_pylist()}
    for row in bank.customers.select(["org", "primary_manager", "backup_manager"]).to_pylist():
        assert place[row["primary_manager"]] == place[row["backup_manager"]] == row["org"]
        assert row["primary_manager"] != row["backup_manager"]


def resident_check(number: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(d) * w for d, w in zip(number[:17], weights, strict=True)) % 11]


def credit_check(code: str) -> str:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(c) * pow(3, i, 31) for i, c in enumerate(code[:17]))
    return alphabet[-total % 31]


def test_published_examples_of_check_characters() -> None:
    assert resident_check("11010519491231002X") == "X"
    assert credit_check("91350100M000100Y43") == "3"


def test_identity_numbers_are_valid_and_unique(bank: Bank) -> None:
    columns = ["kind", "id_number", "birth_date", "gender", "phone"]
    for row in bank.customers.select(columns).to_pylist():
        number = row["id_number"]
        assert len(number) == 18
        if row["kind"] == "company":
            assert number[17] == credit_check(number)
            continue
        assert number[17] == resident_check(number)
        assert number[6:14] == f"{row['birth_date']:%Y%m%d}"
        assert (int(number[16]) % 2 == 0) == (row["gender"] == "F")
        assert row["phone"].startswith("154")
        assert len(row["phone"]) == 11
    assert pc.count_distinct(bank.customers["id_number"]).as_py() == bank.customers.num_rows
    assert pc.count_distinct(bank.customers["phone"]).as_py() == bank.customers.num_rows


def signed_cents(kind: str, data: dict[str, str]) -> int:
    cents = round(float(data.get("amount", "0")) * 100)
    out = kind == "card.spent" or data.get("direction") == "out"
    moves = kind in {"transaction.posted", "card.spent", "salary.received"}
    return (-cents if out else cents) if moves else 0


def test_each_balance_follows_from_the_one_before(bank: Bank) -> None:
    balance: dict[str, int] = {}
    followed = 0
    for row in pa.Table.from_batches(bank.events()).to_pylist():
        data = json.loads(row["data"])
        before = balance.get(row["subject"])
        after = None if before is None else before + signed_cents(row["type"], data)
        if row["type"] == "transaction.posted":
            stated = round(float(data["balance_after"]) * 100)
            assert after is None or after == stated
            assert stated > 0
            followed += after is not None
            after = stated
        if after is not None:
            balance[row["subject"]] = after
    assert followed > 20_000


def test_month_end_holdings_agree_with_the_postings(bank: Bank) -> None:
    ends = month_ends(BUSINESS_DATE)
    assert [str(day) for day in ends[[0, -1]]] == ["2025-10-31", "2026-09-30"]
    assert len(ends) == MONTHS
    last: dict[str, str] = {}
    for row in pa.Table.from_batches(bank.events()).to_pylist():
        if row["type"] == "transaction.posted" and row["time"].date() <= date(2026, 9, 30):
            last[row["subject"]] = json.loads(row["data"])["balance_after"]
        elif row["type"] in {"card.spent", "salary.received"} and row["time"].date() <= date(2026, 9, 30):
            last.pop(row["subject"], None)
    holdings = pa.Table.from_batches(bank.holdings())
    demand = holdings.filter(
        (pc.field("product") == "demand-deposit") & (pc.field("as_of") == date(2026, 9, 30))
    )
    stated = dict(zip(demand["source_id"].to_pylist(), demand["balance"].to_pylist(), strict=True))
    assert len(last) > 2_000
    assert all(str(stated[customer]) == balance for customer, balance in last.items())


def test_holdings_only_while_open(bank: Bank) -> None:
    holdings = pa.Table.from_batches(bank.holdings())
    assert pc.all(pc.less_equal(holdings["opened_on"], holdings["as_of"])).as_py()
    assert str(holdings.schema.field("balance").type) == "decimal128(18, 2)"
    key = pa.TableGroupBy(holdings, ["account", "as_of"]).aggregate([([], "count_all")])
    assert pc.max(key["count_all"]).as_py() == 1
    assert sum(b.num_rows for b in bank.holdings(months=1)) < holdings.num_rows / 8


def test_relations_join_known_customers_of_the_right_kind(bank: Bank) -> None:
    kind = dict(zip(bank.customers["source_id"].to_pylist(), bank.customers["kind"].to_pylist(), strict=True))
    wanted = {"supplies": ("company", "company"), "parent": ("company", "company"),
              "employs": ("company", "person"), "household": ("person", "person")}  # fmt: skip
    rows = bank.relationships.to_pylist()
    assert {row["kind"] for row in rows} == set(wanted)
    for row in rows:
        assert (kind[row["from_id"]], kind[row["to_id"]]) == wanted[row["kind"]]
        assert row["from_id"] != row["to_id"]


def test_leaving_customers_lose_their_money_and_fall_silent(bank: Bank) -> None:
    left = set(np.array(bank.truth["source_id"].to_pylist())[bank.traits.churned])
    late = {
        row["subject"] for row in pa.Table.from_batches(bank.events()).to_pylist()
        if row["time"].date() > date(2026, 8, 10) and row["type"] in {"login", "transaction.posted"}
    }  # fmt: skip
    assert left
    assert not left & late


def test_written_files_hold_the_truth_apart(bank: Bank, tmp_path: Path) -> None:
    write(bank, tmp_path)
    names = {file.stem for file in tmp_path.iterdir()}
    assert names == {
        "orgs", "staff", "products", "customers", "holdings", "events", "relationships", "truth",
    }  # fmt: skip
    secret = {"archetype", "churned", "response_probability", "effect_net_inflow_30d"}
    for name in names - {"truth"}:
        assert not secret & set(pq.read_schema(tmp_path / f"{name}.parquet").names)
    assert pq.read_metadata(tmp_path / "events.parquet").num_rows == sum(b.num_rows for b in bank.events())
