"""Sample ratio mismatch: did randomisation deliver the split that was declared?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

if TYPE_CHECKING:
    from collections.abc import Mapping

ALARM = 0.001
FEWEST_EXPECTED = 5.0
"""Below, χ² does not follow its distribution (Cochran 1954)."""


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


@dataclass(frozen=True, slots=True)
class BranchSplits:
    """The least likely split of all branches; `p_value` is corrected for their number (Bonferroni).

    Of `branches`, `tested` had enough customers to be judged. `worst` is None when none had.
    """

    branches: int
    tested: int
    worst: str | None
    chi2: float
    p_value: float

    @property
    def passes(self) -> bool:
        return self.p_value >= ALARM


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
    chi2 = sum((counts[group] - expected[group]) ** 2 / expected[group] for group in weights)
    freedom = len(weights) - 1
    return SplitCheck(chi2, freedom, float(special.chdtrc(freedom, chi2)), expected, strangers)


def check_branches(observed: Mapping[str, Mapping[str, int]], declared: Mapping[str, float]) -> BranchSplits:
    """Every branch by itself, `observed` units by branch and group.

    Where all branches together already miss the declared split, they are compared with the split that all
    have: what is left to find are branches that differ from the others.
    """
    whole: dict[str, int] = {}
    for groups in observed.values():
        for group, n in groups.items():
            whole[group] = whole.get(group, 0) + n
    weights = declared if check_split(whole, declared).p_value >= ALARM else whole
    found = {branch: check_split(groups, weights) for branch, groups in observed.items()}
    tested = {
        branch: check
        for branch, check in found.items()
        if check.freedom > 0 and min(check.expected.values()) >= FEWEST_EXPECTED
    }
    if not tested:
        return BranchSplits(len(observed), 0, None, 0.0, 1.0)
    worst = min(tested, key=lambda branch: (tested[branch].p_value, branch))
    p_value = min(1.0, tested[worst].p_value * len(tested))
    return BranchSplits(len(observed), len(tested), worst, tested[worst].chi2, p_value)
