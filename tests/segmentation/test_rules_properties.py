"""Both written forms are one language, and the compiled query says what the definition says."""

from collections.abc import Iterator
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pyroaring import BitMap

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.json_form import from_condition
from services.segmentation.domain.rules.sql_form import parse_sql
from services.segmentation.domain.rules.json_text import to_condition
from services.segmentation.domain.rules.text import digest, to_sql
from services.segmentation.domain.rules.tree import All
from services.segmentation.store import facts, reading, schema
from services.segmentation.store.store import Store
from shared.contracts.conditions import Condition
from tests.segmentation.rules_oracle import ZONE, holds
from tests.segmentation.rules_random import NOW, Customer, Rules, customer

CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)


SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
@settings(max_examples=300, deadline=None)
def test_sql_and_json_are_one_language(seed: int) -> None:
    rule = Rules(Random(seed)).rule(depth=3)
    assert parse_sql(to_sql(rule), BUILT_IN) == rule
    sent = CONDITION.dump_json(to_condition(rule))
    assert from_condition(CONDITION.validate_json(sent), BUILT_IN) == rule


@given(SEEDS)
@settings(max_examples=50, deadline=None)
def test_digest_ignores_order_of_and_only(seed: int) -> None:
    parts = [Rules(Random(seed + number)).rule() for number in range(3)]
    assert digest(All(tuple(parts))) == digest(All(tuple(reversed(parts))))
    assert digest(All(tuple(parts))) != digest(All((*parts, parts[0])))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(tmp_path_factory.mktemp("store") / "rules.duckdb", threads=1)
    yield opened
    opened.close()


@given(seed=SEEDS)
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_compiled_rules_agree_with_the_definition(store: Store, seed: int) -> None:
    random = Random(seed)
    found = [customer(random) for _ in range(25)]
    rule = [Rules(random).rule() for _ in range(40)]
    _fill(store, found)
    members = {"gold": BitMap([1]), "open-complaint": BitMap([2, 3])}
    compiler = Compiler(BUILT_IN, Moment(NOW, ZONE))
    for number, each in enumerate(rule):
        compiler.add_rule(f"s{number}", each)
    with store.read() as cursor:
        columns = reading.columns(cursor, compiler.query(), members.__getitem__)
    order = np.argsort(columns["ordinal"])
    for number, each in enumerate(rule):
        computed = [columns[f"s{number}"][place] for place in order]
        expected = [
            holds(each, one, {key for key, bitmap in members.items() if ordinal in bitmap})
            for ordinal, one in enumerate(found, 1)
        ]
        known = [None if value is np.ma.masked else bool(value) for value in computed]
        assert known == expected, to_sql(each)


def _fill(store: Store, found: list[Customer]) -> None:
    with store.write() as cursor:
        for table in schema.FACTS:
            cursor.execute(f"DELETE FROM {table}")
        people, holdings, events = [], [], []
        for ordinal, one in enumerate(found, 1):
            people.append(
                {
                    "ordinal": ordinal,
                    "customer_id": f"00000000-0000-7000-8000-{ordinal:012d}",
                    "version": 1,
                    "kind": "person",
                    "status": "active",
                    "org": "hq.test",
                    "consent_call": False,
                    "consent_email": False,
                    **one.attributes,
                }
            )
            holdings += [
                {
                    "home": ordinal,
                    "account": each.account,
                    "product": each.product,
                    "category": each.category,
                    "balance": each.balance,
                    "as_of": each.as_of,
                    "matures_on": each.matures_on,
                    "closed": each.closed,
                }
                for each in one.holdings
            ]
            events += [
                {
                    "seq": len(events) + number,
                    "home": ordinal,
                    "type": each.type,
                    "time": each.time,
                    "source": "core",
                    "event_id": "e",
                    "data": each.json(),
                }
                for number, each in enumerate(one.events)
            ]
        facts.merge_customers(cursor, pa.Table.from_pylist(people, schema.CUSTOMERS))
        facts.merge_holdings(cursor, pa.Table.from_pylist(holdings, schema.HOLDINGS))
        facts.insert_events(cursor, pa.Table.from_pylist(events, schema.EVENTS))
