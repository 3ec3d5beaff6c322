"""Tiers by thresholds: hysteresis, minimum stay, exact thresholds, merges; properties over random histories."""

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmentation.domain.tiers import NONE, Ladder, Standing, crossed, decide, parked
from services.segmentation.queries.tier_columns import packed, packed_moves, unpacked, unpacked_moves
from services.segmentation.usecases.tier_lists import proposal
from services.segmentation.usecases.tier_upkeep import Regrouped, regroup

LADDER = Ladder((50, 500, 5_000), (40, 400, 4_000), stay=30)
TODAY = 20_000


def standing(*rows: tuple[int, int, int]) -> Standing:
    tiers, since, direction = zip(*rows, strict=True)
    return Standing(np.array(tiers, np.int8), np.array(since, np.int32), np.array(direction, np.int8))


@pytest.mark.parametrize(
    ("row", "value", "tier", "held"),
    [
        ((NONE, 0, 0), 50, 1, False),  # exactly on the upgrade threshold
        ((NONE, 0, 0), 49.99, 0, False),
        ((NONE, 0, 0), float("nan"), 0, False),
        ((NONE, 0, 0), 10_000, 3, False),
        ((1, TODAY - 30, 1), 40, 1, False),  # exactly on the downgrade threshold: stays
        ((1, TODAY - 30, 1), 39.99, 0, False),
        ((1, TODAY - 29, 1), 39.99, 1, True),  # a day too early
        ((1, TODAY, 1), 500, 2, False),  # up again at once
        ((0, TODAY - 29, -1), 500, 0, True),  # but not soon after a downgrade
        ((0, TODAY - 30, -1), 500, 2, False),
        ((3, 0, 1), 450, 2, False),  # keeps what its downgrade threshold still allows
        ((3, 0, 1), 390, 1, False),
        ((2, 0, 1), float("nan"), 2, False),
        ((2, 0, 1), float("-inf"), 0, False),
    ],
)
def test_one_customer(row: tuple[int, int, int], value: float, tier: int, *, held: bool) -> None:
    found, waiting = decide(LADDER, standing(row), np.array([value]), TODAY)
    assert (found[0], waiting[0]) == (tier, held)


def test_the_threshold_behind_a_move() -> None:
    assert [crossed(LADDER, *move) for move in ((-1, 0), (-1, 2), (0, 1), (1, 3), (3, 1), (1, 0), (2, 2))] == [
        None, 500, 50, 5_000, 400, 40, None,
    ]  # fmt: skip


thresholds = st.lists(st.integers(0, 1000), min_size=1, max_size=5, unique=True).map(sorted)


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    upgrade = draw(thresholds)
    gaps = [draw(st.integers(0, up - below)) for up, below in zip(upgrade, [-1, *upgrade], strict=False)]
    downgrade = [up - gap * 0.999 for up, gap in zip(upgrade, gaps, strict=True)]
    return Ladder(upgrade, downgrade, draw(st.integers(0, 60)))


histories = st.lists(
    st.tuples(st.integers(0, 40), st.one_of(st.integers(-10, 1010), st.just(float("nan")))), max_size=25
)


@settings(max_examples=150, deadline=None)
@given(ladders(), histories)
def test_a_history_never_turns_within_the_minimum_stay(
    ladder: Ladder, history: list[tuple[int, float]]
) -> None:
    """Between a move and one the other way at least the stay; a second application changes nothing."""
    now, place = TODAY, np.array([0])
    held = Standing.empty(1)
    moved: list[tuple[int, int]] = []
    for days, value in history:
        now += days
        before = int(held.tier[0])
        tier, _ = decide(ladder, held, np.array([value]), now)
        if tier[0] != before:
            moved.append((now, 1 if tier[0] > before else -1))
            held.put(place, tier, now)
        again, _ = decide(ladder, held, np.array([value]), now)
        assert again[0] == held.tier[0]
    for (first, way), (second, back) in pairwise(moved):
        assert way == back == 1 or second - first >= ladder.stay


@settings(max_examples=150, deadline=None)
@given(ladders(), st.integers(-1, 5), st.lists(st.integers(-10, 1010), min_size=2, max_size=20))
def test_more_is_never_less(ladder: Ladder, tier: int, values: list[int]) -> None:
    """Of customers alike but for the value, the one with more never stands lower."""
    top = min(tier, len(ladder.upgrade))
    rows = standing(*[(top, 0, 1)] * len(values))
    found, _ = decide(ladder, rows, np.array(sorted(values), np.float64), TODAY)
    assert (np.diff(found) >= 0).all()
    # Raising a threshold lifts nobody.
    higher = Ladder([u + 5 for u in ladder.upgrade], [d + 5 for d in ladder.downgrade], ladder.stay)
    assert (decide(higher, rows, np.array(sorted(values), np.float64), TODAY)[0] <= found).all()


def test_columns_come_back_as_they_were() -> None:
    rng = np.random.default_rng(3)
    both = Standing.empty(2 * 65_536)
    places = np.sort(rng.choice(len(both.tier), 5_000, replace=False)).astype(np.uint32)
    both.put(places, rng.integers(0, 4, len(places)).astype(np.int8), TODAY)
    part = unpacked(packed(both, 1))
    assert (part.tier == both.tier[65_536:]).all()
    assert (part.since == both.since[65_536:]).all()
    assert (part.direction == both.direction[65_536:]).all()
    moves = proposal(LADDER, both, places, rng.random(len(places)) * 9_000, places[:0], TODAY + 99).moves
    back = unpacked_moves(packed_moves(moves))
    assert len(back) == len(moves) > 1_000
    assert (back.ordinals == moves.ordinals).all()
    assert (back.values == moves.values).all()


def test_overrides_are_left_alone_and_new_customers_enter() -> None:
    ordinals = np.array([3, 70_000], np.uint32)
    found = proposal(LADDER, Standing.empty(10), ordinals, np.array([60.0, 600.0]), ordinals[1:], TODAY)
    assert found.moves.ordinals.tolist() == [3]
    assert (found.customers, found.pinned) == (2, 1)


def group(merged: list[int], active: list[int], values: list[float], into: dict[int, int]) -> Regrouped:
    def places(each: list[int]) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
        return np.array(each, np.uint32)

    homes, survivors = places(list(into)), places(list(into.values()))
    return Regrouped(1, places(merged), places(active), np.array(values), homes, survivors, {})


def test_a_merge_puts_a_tier_away_and_its_undo_takes_it_out() -> None:
    rows = standing((1, 5, 1), (3, 6, 1), (NONE, 0, 0))
    none = np.zeros(0, np.uint32)
    moves = regroup(LADDER, rows, group([1], [0], [4_500], {1: 0}), none, TODAY)
    # 4,500 would not reach the top tier, but the family has held it and keeps it.
    assert list(zip(moves.ordinals, moves.before, moves.after, strict=True)) == [(0, 1, 3), (1, 3, NONE)]
    assert rows.tier.tolist() == [3, parked(np.array([3], np.int8))[0], NONE]
    again = regroup(LADDER, rows, group([1], [0], [4_500], {1: 0}), none, TODAY)
    assert len(again) == 0
    moves = regroup(LADDER, rows, group([], [0, 1], [60, 4_440], {}), none, TODAY + 1)
    assert list(zip(moves.ordinals, moves.before, moves.after, strict=True)) == [(0, 3, 1), (1, NONE, 3)]
    assert rows.tier.tolist() == [1, 3, NONE]


def test_an_override_survives_a_merge() -> None:
    rows = standing((0, 5, 1), (3, 6, 1))
    moves = regroup(LADDER, rows, group([1], [0], [9_000], {1: 0}), np.array([0], np.uint32), TODAY)
    assert moves.ordinals.tolist() == [1]
    assert rows.tier[0] == 0


def test_a_million_customers_in_a_moment(record_property: Callable[[str, object], None]) -> None:
    ordinals = np.arange(1_000_000, dtype=np.uint32)
    values = np.random.default_rng(1).lognormal(6, 2, len(ordinals))
    started = time.perf_counter()
    found = proposal(LADDER, Standing.empty(0), ordinals, values, ordinals[:100], TODAY)
    both = Standing.empty(1_000_000 + 65_536)
    both.put(found.moves.ordinals, found.moves.after, TODAY)
    stored = [packed(both, part) for part in range(16)]
    taken = time.perf_counter() - started
    record_property("tiers of 1,000,000 customers, seconds", round(taken, 2))
    assert len(found.moves) == 999_900
    assert sum(map(len, stored)) < 2_000_000
    assert taken < 10
