"""Both written forms are one language, and the compiled query says what the definition says."""

from collections.abc import Iterator
from dataclasses import asdict
from random import Random
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pyroaring import BitMap

from services.segmentation.domain.expressions.defined import Definition, with_defined
from services.segmentation.domain.expressions.sql_form import parse_expression
from services.segmentation.domain.expressions.text import expression_sql
from services.segmentation.domain.expressions.tree import operands
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.checks import NUMERIC
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.json_form import from_condition
from services.segmentation.domain.rules.json_text import to_condition
from services.segmentation.domain.rules.sql_form import parse_sql
from services.segmentation.domain.rules.text import digest, to_sql
from services.segmentation.domain.rules.tree import All, leaves
from services.segmentation.queries.explain import explain_rule
from services.segmentation.store import facts, reading, schema
from services.segmentation.store.relations import merge_relations
from services.segmentation.store.store import Store
from services.segmentation.store.values import merge_values
from shared.contracts.conditions import Condition
from tests.segmentation.rules_oracle import ZONE, World, holds
from tests.segmentation.rules_oracle_features import KNOWN
from tests.segmentation.rules_random import (
    NOW,
    Customer,
    Expressions,
    Rules,
    contributing,
    customer,
    related,
)

CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)


SEEDS = st.integers(0, 2**32 - 1)
NUMBERS = [feature.key for feature in KNOWN if feature.type in NUMERIC]


def own_features(random: Random) -> Catalogue:
    """The catalogue with features of which the later are made of the earlier."""
    names = NUMBERS
    definitions = []
    for number in range(6):
        tree = Expressions(random, names).expression()
        if next(operands(tree), None) is not None:
            definitions.append(Definition(f"own_{number}", "x", "x", None, expression_sql(tree)))
            names = [*names, *[f"own_{number}"] * 20]
    return with_defined(KNOWN, definitions)


@given(SEEDS)
@settings(max_examples=300, deadline=None)
def test_sql_and_json_are_one_language(seed: int) -> None:
    rule = Rules(Random(seed)).rule(depth=3)
    assert parse_sql(to_sql(rule), BUILT_IN) == rule
    sent = CONDITION.dump_json(to_condition(rule))
    assert from_condition(CONDITION.validate_json(sent), BUILT_IN) == rule


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_an_expression_has_one_text(seed: int) -> None:
    tree = Expressions(Random(seed), NUMBERS).expression(depth=4)
    if next(operands(tree), None) is None:
        return
    assert parse_expression(expression_sql(tree), BUILT_IN) == tree


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


def agree(store: Store, seed: int) -> None:
    """Forty random rules over 25 random customers, in one query and one customer at a time."""
    random = Random(seed)
    found = [customer(random) for _ in range(25)]
    related(random, found)
    for one in found:
        contributing(random, one)
    catalogue = own_features(random)
    rules = [Rules(random, catalogue).rule() for _ in range(40)]
    _fill(store, found)
    members = {"gold": BitMap([1, 5, 6, 7]), "open-complaint": BitMap([2, 3])}
    compiler = Compiler(catalogue, Moment(NOW, ZONE))
    for number, each in enumerate(rules):
        compiler.add_rule(f"s{number}", each)
    with store.read() as cursor:
        columns = reading.columns(cursor, compiler.query(), members.__getitem__)
        some = sorted(random.sample(range(1, 26), 4))
        narrowed = reading.columns(cursor, compiler.query(only=some), members.__getitem__)
        told = {
            number: explain_rule(cursor, rules[number], some[0], members, Moment(NOW, ZONE), catalogue)
            for number in range(2)
        }
    order = np.argsort(columns["ordinal"])
    asked = np.argsort(narrowed["ordinal"])
    assert narrowed["ordinal"][asked].tolist() == some
    world = World(found, {key: set(bitmap) for key, bitmap in members.items()}, catalogue)
    for number, each in enumerate(rules):
        computed = [columns[f"s{number}"][place] for place in order]
        expected = [
            holds(each, one, {key for key, bitmap in members.items() if ordinal in bitmap}, world)
            for ordinal, one in enumerate(found, 1)
        ]
        known = [None if value is np.ma.masked else bool(value) for value in computed]
        assert known == expected, to_sql(each)
        if number in told:
            truth, parts = told[number]
            assert truth == known[some[0] - 1]
            assert [part.text for part in parts] == [to_sql(leaf) for leaf in leaves(each)]
        alone = [narrowed[f"s{number}"][place] for place in asked]
        assert [None if value is np.ma.masked else bool(value) for value in alone] == [
            known[ordinal - 1] for ordinal in some
        ]


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_compiled_rules_agree_with_the_definition(store: Store, seed: int) -> None:
    agree(store, seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(seed=SEEDS)
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_compiled_rules_agree_with_the_definition_often(store: Store, seed: int) -> None:
    agree(store, seed)


def _fill(store: Store, found: list[Customer]) -> None:
    with store.write() as cursor:
        for table in schema.FACTS:
            cursor.execute(f"DELETE FROM {table}")
        people: list[dict[str, object]] = []
        holdings: list[dict[str, object]] = []
        events: list[dict[str, object]] = []
        for ordinal, one in enumerate(found, 1):
            people.append(
                {
                    "ordinal": ordinal,
                    "customer_id": f"00000000-0000-7000-8000-{ordinal:012d}",
                    "version": 1,
                    "kind": "person",
                    "status": "active",
                    **{f"consent_{channel}": False for channel in ("call", "email", "visit", "app")},
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
        merge_relations(cursor, pa.Table.from_pylist(_relations(found), schema.RELATIONS))
        merge_values(cursor, pa.Table.from_pylist(_months(found), schema.VALUES))


def _relations(found: list[Customer]) -> list[dict[str, object]]:
    return [
        {
            "id": str(UUID(int=ordinal * 1000 + number)),
            "version": 1,
            "home_from": ordinal,
            "home_to": each.other,
            "type": each.type,
            "mutual": each.symmetric,
            "valid_from": each.valid_from,
            "valid_until": each.valid_until,
        }
        for ordinal, one in enumerate(found, 1)
        for number, each in enumerate(one.relations)
        if each.forward
    ]


def _months(found: list[Customer]) -> list[dict[str, object]]:
    return [
        {"home": ordinal, "edition": 1, "products": 1, "raroc": None, **asdict(each)}
        for ordinal, one in enumerate(found, 1)
        for each in one.months
    ]
