"""Survivorship by itself: every rule, whatever the order, and what an undoing takes back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customer.domain.survivorship import RULES, Choice, Profile, choose, take_back
from services.customer.usecases.import_families import own_values

VALUES = st.fixed_dictionaries(
    {name: st.sampled_from([None, "2010-01-01", "2015-01-01", "2020-01-01-long"]) for name in RULES}
)
PROFILES = st.lists(st.tuples(VALUES, st.integers(0, 3)), min_size=2, max_size=5)


def profile(number: int, hours: int = 0, **values: str | None) -> Profile:
    return Profile(UUID(int=number), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours), values)


def chosen(attribute: str, survivor: Profile, *others: Profile) -> tuple[str | None, int | None]:
    """The value and whose it is."""
    choice = next(c for c in choose(survivor, others, {}) if c.attribute == attribute)
    return choice.value, choice.origin.int if choice.origin else None


@pytest.mark.parametrize(
    ("attribute", "values", "expected"),
    [
        ("name", ["张三", "张三丰"], ("张三", 1)),
        ("name", [None, "张三", "张三丰"], ("张三丰", 3)),
        ("phone", ["13800000001", "13800000002"], ("13800000002", 2)),
        ("phone", ["138 0000 0002", "13800000002"], ("138 0000 0002", 1)),
        ("phone", ["13800000001", None], ("13800000001", 1)),
        ("address", ["上海市浦东新区", "上海"], ("上海市浦东新区", 1)),
        ("customer_since", ["2015-05-05", "2011-01-01"], ("2011-01-01", 2)),
        ("birth_date", ["1980-01-01", "1981-01-01"], ("1980-01-01", 1)),
        ("industry", [None, None], (None, None)),
    ],
)
def test_rules(attribute: str, values: list[str | None], expected: tuple[str | None, int | None]) -> None:
    """The later in the list, the later it was changed."""
    profiles = [profile(n, n, **{attribute: value}) for n, value in enumerate(values, start=1)]
    assert chosen(attribute, profiles[0], *profiles[1:]) == expected


def test_an_override_outweighs_the_rule() -> None:
    first, second = profile(1, phone="1", name="a"), profile(2, 5, phone="2", name="b")
    choices = {c.attribute: c for c in choose(first, [second], {"phone": UUID(int=1), "name": UUID(int=2)})}
    assert choices["phone"] == Choice("phone", "override", UUID(int=1), "1", 2)
    assert choices["name"] == Choice("name", "override", UUID(int=2), "b", 2)


@given(PROFILES, st.randoms(use_true_random=False))
def test_the_order_of_the_merged_does_not_matter(
    told: list[tuple[dict[str, str | None], int]], random: st.DataObject
) -> None:
    profiles = [profile(n, hours, **values) for n, (values, hours) in enumerate(told, start=1)]
    others = profiles[1:]
    before = choose(profiles[0], others, {})
    random.shuffle(others)  # type: ignore[attr-defined]
    assert choose(profiles[0], others, {}) == before


@given(VALUES, VALUES, st.sets(st.sampled_from(list(RULES))), VALUES)
def test_what_nobody_touched_goes_back_and_the_rest_stays(
    before: dict[str, str | None],
    after: dict[str, str | None],
    touched: set[str],
    news: dict[str, str | None],
) -> None:
    now = {name: news[name] if name in touched else after[name] for name in RULES}
    restored, kept = take_back(before, after, now, touched)
    end = {**now, **restored}
    assert end == {name: now[name] if name in touched else before[name] for name in RULES}
    assert set(restored) | set(kept) == {name for name in RULES if before[name] != after[name]}
    assert not set(restored) & set(kept)


def test_own_values_are_from_before_the_first_merge_that_changed_them() -> None:
    first = {"before": {"phone": "1", "email": None}, "after": {"phone": "2", "email": None}}
    second = {"before": {"phone": "2", "email": None}, "after": {"phone": "3", "email": "x"}}
    assert own_values([first, second]) == {"phone": "1", "email": None}
