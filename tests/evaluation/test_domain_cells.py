"""Cells in columns say what cells one by one say, and lose no digits."""

import functools
import math

import numpy as np
import pytest

from services.evaluation.domain.breakdown import CellEffect, break_down, cells_of, with_q_values
from services.evaluation.domain.cells import ArmTraits, CellTable, column_of
from services.evaluation.domain.comparison import MetricKind
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.many import CellEffects, cell_effects
from services.evaluation.domain.moments import Moments, merged, of_values

TRAITS = {
    "call": ArmTraits("manager_task", "w@1"),
    "call2": ArmTraits("manager_task", "w@2"),
    "sms": ArmTraits("sms", "w@2"),
}
LEVELS = {
    "arm": ["", "call", "call2", "sms"],
    "segment": ["affluent", "young"],
    "branch": ["hq.bj", "hq.sh"],
    "tier": ["", "gold"],
    "manager": ["", "S1", "S2"],
}


@functools.cache
def bank(kind: MetricKind, seed: int = 3, base: float = 100.0) -> tuple[CellTable, dict[str, np.ndarray]]:
    """4,000 customers in every combination of levels; their cells, and the customers themselves."""
    rng, n = np.random.default_rng(seed), 4_000
    people: dict[str, np.ndarray] = {name: rng.choice(levels, n) for name, levels in LEVELS.items()}
    x = rng.gamma(2, 50, n)
    y = base + 0.8 * x + rng.normal(0, 30, n) + 5 * (people["arm"] != "")
    if kind == "proportion":
        y, x = (rng.random(n) < np.where(people["arm"] == "", 0.2, 0.3)).astype(float), np.zeros(n)
    people |= {"y": y, "x": x}
    keys = list(zip(*(people[name] for name in LEVELS), strict=True))
    cells = sorted(set(keys))
    moments = []
    for cell in cells:
        inside = np.array([key == cell for key in keys])
        found = of_values(y[inside], x[inside])
        moments.append([found.n, found.mean_y, found.m2_y, found.mean_x, found.m2_x, found.c_xy])
    columns = {name: column_of([cell[i] for cell in cells]) for i, name in enumerate(LEVELS)}
    return CellTable(columns, np.array(moments, dtype=float).T).of_arms(TRAITS), people


def same(one: CellEffects, row: int, other: CellEffect) -> None:
    effect = other.effect
    assert (int(one.n[row]), int(one.n_control[row])) == (other.n, other.n_control)
    if isinstance(effect, NoEffect):
        assert one.missing(row) == effect
        assert one.q_values[row] == 1
        return
    assert one.missing(row) is None
    found = one.found
    numbers = [column[row] for column in (found.mean, found.mean_control, found.error, found.low, found.high)]
    expected = [effect.mean, effect.mean_control, effect.standard_error, *effect.interval]
    assert numbers == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert found.p_value[row] == pytest.approx(effect.p_value, rel=1e-7, abs=1e-12)
    assert one.q_values[row] == pytest.approx(other.q_value, rel=1e-7, abs=1e-12)
    applied = effect.adjustment is not None and effect.adjustment.applied
    assert bool(found.applied[row]) == applied
    if effect.adjustment:
        assert found.theta[row] == pytest.approx(effect.adjustment.theta)


@pytest.mark.parametrize("kind", ["sum", "count", "balance", "proportion", "ratio", "retention"])
@pytest.mark.parametrize(
    "dimensions",
    [
        ["segment"],
        ["tier", "branch"],
        ["script"],
        ["channel", "segment"],
        ["segment", "tier", "channel", "script", "branch", "manager"],
    ],
    ids=",".join,
)
def test_effects_in_columns_are_those_of_each_cell(kind: MetricKind, dimensions: list[str]) -> None:
    table, _ = bank(kind)
    expected = with_q_values(break_down(cells_of(table), dimensions, kind, 0.05))
    found = cell_effects(table, dimensions, kind, 0.05)
    assert len(found) == len(expected)
    values = [found.columns[name].values() for name in dimensions]
    assert list(zip(*values, strict=True)) == [cell.values for cell in expected]
    for row, cell in enumerate(expected):
        same(found, row, cell)
    assert any(isinstance(cell.effect, Effect) for cell in expected)


def test_the_covariate_is_used_in_every_cell() -> None:
    table, people = bank("sum")
    found = cell_effects(table, ["segment", "tier"], "sum", 0.05)
    assert found.found.applied.all()
    row = 0
    inside = (people["segment"] == found.columns["segment"].values()[row]) & (
        people["tier"] == found.columns["tier"].values()[row]
    )
    treated, held_out = inside & (people["arm"] != ""), inside & (people["arm"] == "")
    x, y = people["x"], people["y"]
    dx = np.concatenate([x[group] - x[group].mean() for group in (treated, held_out)])
    dy = np.concatenate([y[group] - y[group].mean() for group in (treated, held_out)])
    theta = float(dx @ dy) / float(dx @ dx)
    adjusted = y - theta * x
    difference = adjusted[treated].mean() - adjusted[held_out].mean()
    assert found.found.theta[row] == pytest.approx(theta)
    assert found.found.difference[row] == pytest.approx(difference)


@pytest.mark.parametrize("dimensions", [["arm"], ["arm", "tier"], ["manager", "segment", "arm"], []])
def test_regrouping_is_that_of_the_customers_themselves(dimensions: list[str]) -> None:
    table, people = bank("sum")
    found = table.by(*dimensions)
    for row, moments in enumerate(found.all_moments()):
        inside = np.ones(people["y"].size, dtype=bool)
        for name in dimensions:
            inside &= people[name] == found.columns[name].values()[row]
        expected = of_values(people["y"][inside], people["x"][inside])
        assert moments.n == expected.n
        for name in ("mean_y", "m2_y", "mean_x", "m2_x", "c_xy"):
            assert getattr(moments, name) == pytest.approx(getattr(expected, name), rel=1e-9)


def test_large_balances_keep_their_digits() -> None:
    table, people = bank("sum", base=1e8)
    whole, expected = table.by().all_moments()[0], of_values(people["y"])
    assert whole.m2_y == pytest.approx(expected.m2_y, rel=1e-9)
    assert whole.m2_y == pytest.approx(merged(table.all_moments()).m2_y, rel=1e-9)
    assert math.sqrt(whole.variance) < 200


def test_nothing_is_no_cell() -> None:
    table, _ = bank("sum")
    nothing = table.taken(np.zeros(len(table), dtype=bool))
    assert len(cell_effects(nothing, ["tier"], "sum", 0.05)) == 0
    assert len(nothing.by("segment")) == 0
    assert Moments() == merged(nothing.all_moments())
