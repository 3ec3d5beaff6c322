"""Sample ratio mismatch: did randomisation deliver the split that was declared?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Mapping

ALARM = 0.001


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """`p_value` of Pearson's χ² against the declared split; `expected` in units."""

    chi2: float
    freedom: int
    p_value: float
    expected: dict[str, float]
    strangers: dict[str, int]

    @property
    def passes(self) -> bool:
        """A split this unlikely (p < 0.001) is a fault of the assignment, not chance."""
        return not self.strangers and self.p_value >= ALARM


def check_split(observed: Mapping[str, int], declared: Mapping[str, float]) -> SplitCheck:
    """Compare units per group with declared weights (any positive scale).

    Groups of weight zero leave the degrees of freedom; units found in them are `strangers`
    and fail the check by themselves.
    """
    weights = {group: weight for group, weight in declared.items() if weight > 0}
    strangers = {group: n for group, n in observed.items() if n > 0 and group not in weights}
    counts = {group: observed.get(group, 0) for group in weights}
    total, scale = sum(counts.values()), sum(weights.values())
    expected = {group: total * weight / scale for group, weight in weights.items()}
    if total == 0 or len(weights) < 2:
        return SplitCheck(0.0, max(len(weights) - 1, 0), 1.0, expected, strangers)
    test = stats.chisquare(list(counts.values()), list(expected.values()))
    return SplitCheck(float(test.statistic), len(weights) - 1, float(test.pvalue), expected, strangers)
