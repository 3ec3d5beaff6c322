"""What time, dates and other customers can change, as evaluation relies on it."""

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from services.segmentation.domain.expressions.defined import Definition, with_defined
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.json_form import from_condition
from services.segmentation.domain.rules.problems import RuleError
from services.segmentation.domain.rules.sql_form import FUNCTIONS, parse_sql
from services.segmentation.domain.rules.tree import leaves
from services.segmentation.domain.rules.windows import (
    DateWindow,
    dates_of,
    feature_freshness,
    freshness,
    scheduled,
    windows_of,
)
from shared.contracts.conditions import Condition

CATALOGUE = with_defined(
    BUILT_IN,
    [
        Definition("pace", "x", "x", None, "count_events('login', 7) / nullif(txn_count_90d, 0)"),
        Definition("older", "x", "x", None, "age + pace"),
    ],
)
GUIDE = Path(__file__).parents[2] / "docs" / "rules.md"


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("count_events('login', 7) > 1 or stopped('login', 30)", {"login": {0, 7, 30}}),
        ("never('login')", {"login": {0}}),
        ("sequence('a', 'b', 3)", {"a": {0}, "b": {0}}),
        ("sequence('a', 'b', 3, 60)", {"a": {0}, "b": {0, 60}}),
        ("again('a', 30, 10)", {"a": {0, 10}}),
        ("last_login_days > 3", {"login": {0}}),
        ("salary_flag", {"salary.received": {0, 45}}),
        ("txn_trend > 1", {"transaction.posted": {0, 30, 90}}),
        ("percentile(older) > 1", {"login": {0, 7}, "transaction.posted": {0, 90}}),
        ("aum > 1 and in_segment('a')", {}),
    ],
)
def test_ages_at_which_events_change_their_meaning(text: str, windows: dict[str, set[int]]) -> None:
    assert windows_of([parse_sql(text, CATALOGUE)], CATALOGUE) == windows


@pytest.mark.parametrize(
    ("text", "window"),
    [
        (
            "days_to_risk_expiry <= 30",
            DateWindow("customer", "risk_valid_until", frozenset({0, 1, -30, -29})),
        ),
        (
            "age >= 50",
            DateWindow("customer", "birth_date", frozenset({0, 1, 2, 3}), frozenset({600, 612})),
        ),
        ("older >= 50", DateWindow("customer", "birth_date")),
        ("days_to_birthday = 7", DateWindow("customer", "birth_date")),
        ("matures_within(30, 7)", DateWindow("holding_latest", "matures_on", frozenset({-30, -6}))),
        ("aum_change_90d > 1", DateWindow("holding", "as_of", frozenset({90}))),
        ("avg_aum_30d > 1", DateWindow("holding", "as_of")),
        ("last_login_days >= 30", DateWindow("event", "time", frozenset({0, 30, 31}), event="login")),
        ("contribution_12m > 1", DateWindow("value", "month", frozenset({0}), frozenset({13}))),
    ],
)
def test_dates_that_change_an_answer(text: str, window: DateWindow) -> None:
    rule = parse_sql(text, CATALOGUE)
    assert dates_of([rule], CATALOGUE) == {window}
    assert [freshness(leaf, CATALOGUE) for leaf in leaves(rule)] == ["daily"]


def test_how_fresh_a_rule_is() -> None:
    rule = parse_sql("rank(contribution_12m, 'bank') < 9 or older > 1", CATALOGUE)
    assert scheduled(rule)
    assert not scheduled(parse_sql("aum > 1", CATALOGUE))
    assert feature_freshness("older", CATALOGUE) == "daily"
    assert feature_freshness("pace", CATALOGUE) == "realtime"


@pytest.mark.parametrize(
    ("tree", "pointer"),
    [
        ({"all": [{"feature": "agee", "op": "gt", "value": 1}]}, "/definition/all/0/feature"),
        ({"not": {"percentile": "gender", "op": "gt", "value": 1}}, "/definition/not/percentile"),
        ({"unknown": {"rank": "aum", "op": "gt", "value": "x"}}, "/definition/unknown/value"),
        ({"sequence": ["a", "B"], "within_days": 3}, "/definition/sequence/1"),
        ({"again": "A", "gap_days": 3}, "/definition/again"),
        ({"related": "owns", "segment": "a"}, "/definition/related"),
        ({"related": "supplies", "segment": "A b"}, "/definition/segment"),
        ({"matures_within_days": 3, "matures_after_days": 4}, "/definition/matures_after_days"),
    ],
)
def test_a_bad_condition_is_pointed_at(tree: dict[str, object], pointer: str) -> None:
    condition: Condition = TypeAdapter(Condition).validate_python(tree)
    with pytest.raises(RuleError) as caught:
        from_condition(condition, BUILT_IN)
    assert caught.value.errors[0].pointer == pointer


def test_the_guide_is_true() -> None:
    """Every example of the guide is a rule, and it names every function."""
    text = GUIDE.read_text(encoding="utf-8")
    examples = [
        line for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    ]
    assert len(examples) >= 12
    for example in examples:
        parse_sql(example, BUILT_IN)
    assert [name for name in FUNCTIONS if f"`{name}" not in text] == []
