"""The least value of a convex function of a few dozen variables that may be smooth or have edges.

L-BFGS-B goes fast where the function is smooth. On edges it stops early; cutting planes within a box around
the best point (Kelley 1960; Marsten, Hogan & Blankenship 1975) go on from there, and end where they prove it
the least.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize

Floats = NDArray[np.float64]
Convex = Callable[[Floats], tuple[float, Floats]]
"""Value and one slope at a point."""

_CLOSE = 2e-4
"""Share of the value up to which the least is found."""
_PATIENCE = 8
"""Evaluations with cuts within which a tenth of that share must be gained."""


@dataclass(frozen=True)
class Effort:
    """Evaluations: at most so many by L-BFGS-B, then so many with cuts."""

    smooth: int
    cuts: int


def least_of_dual(function: Convex, start: Floats, most: Floats, effort: Effort) -> None:
    """Evaluates `function` at points from 0 to `most` (may be infinite), nearer and nearer to its least.

    The caller keeps the best of what it was asked for.
    """
    cuts = _Cuts(function)
    size = max(abs(cuts.look(start)[0]), 1e-9)

    def scaled(point: Floats) -> tuple[float, Floats]:
        value, slope = cuts.look(point)
        return value / size, slope / size

    if not start.size:
        return
    bounds = [(0.0, each) for each in most]
    minimize(
        scaled,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxfun": effort.smooth, "ftol": 1e-8},
    )
    radius = 0.1
    gains: list[float] = []
    for _ in range(effort.cuts):
        centre, value = cuts.best()
        gains.append(value)
        if len(gains) > _PATIENCE and gains[-1 - _PATIENCE] - value < 0.1 * _CLOSE * abs(value):
            return
        point, promised = cuts.lowest(centre, radius, most)
        if point is None or value - promised <= _CLOSE * abs(value):
            return
        if cuts.look(point)[0] > value - 0.1 * (value - promised):
            radius *= 0.7
        elif np.abs(point - centre).max() > 0.99 * radius:
            radius *= 2.0


class _Cuts:
    """Every point seen, with the plane that bounds the function from below there."""

    def __init__(self, function: Convex) -> None:
        self._function = function
        self._points: list[Floats] = []
        self._values: list[float] = []
        self._slopes: list[Floats] = []

    def look(self, point: Floats) -> tuple[float, Floats]:
        value, slope = self._function(point)
        self._points.append(point.copy())
        self._values.append(value)
        self._slopes.append(slope)
        return value, slope

    def best(self) -> tuple[Floats, float]:
        at = int(np.argmin(self._values))
        return self._points[at], self._values[at]

    def lowest(self, centre: Floats, radius: float, most: Floats) -> tuple[Floats | None, float]:
        """Where the planes promise the least near `centre`, and what they promise."""
        slopes, points = np.array(self._slopes), np.array(self._points)
        offsets = (slopes * points).sum(axis=1) - np.array(self._values)
        size = max(abs(self.best()[1]), 1e-9)
        box = zip(np.maximum(centre - radius, 0.0), np.minimum(centre + radius, most), strict=True)
        found = linprog(
            np.concatenate([np.zeros(centre.size), [1.0]]),
            A_ub=np.column_stack([slopes / size, -np.ones(len(slopes))]),
            b_ub=offsets / size,
            bounds=[*box, (None, None)],
        )
        if found.x is None:
            return None, 0.0
        return found.x[:-1], float(found.x[-1]) * size
