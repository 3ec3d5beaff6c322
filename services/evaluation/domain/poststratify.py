"""Post-stratification: compare within strata, weight by how large each is among everybody.

Removes what the strata explain, without having been drawn by stratum (Miratrix, Sekhon and Yu 2013). The
sizes came about by chance, and the variance says so twice (Cochran 1977, §5A.9): each stratum's mean rests on
the customers it happened to get, and its weight is itself an estimate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.evaluation.domain.breakdown import HOLD_OUT
from services.evaluation.domain.effect import Adjustment, Effect, Estimate, NoEffect, contrast, cuped
from services.evaluation.domain.moments import Moments, merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.evaluation.domain.breakdown import Cell
    from shared.contracts.evaluation.effects import EffectMethod

SMALLEST_STRATUM = 5
Stratum = tuple[Moments, Moments]


def poststratified(strata: Sequence[Stratum], alpha: float) -> Effect | NoEffect:
    """The effect over (treated, control) moments per stratum, adjusted for the covariate where it helps.

    Strata with fewer than five of either group are joined, smallest first: sizes do not depend on outcomes.
    """
    joined, adjustment = _without_covariate(collapsed(strata))
    total = sum(treated.n + control.n for treated, control in joined)
    if not joined:
        treated_n, control_n = (sum(stratum[side].n for stratum in strata) for side in (0, 1))
        return NoEffect(
            "too-few",
            f"{treated_n} treated and {control_n} held out; {SMALLEST_STRATUM} of each are needed",
        )
    weights = [(treated.n + control.n) / total for treated, control in joined]
    groups = [_weighted([stratum[side] for stratum in joined], weights, total) for side in (0, 1)]
    # What uncertain weights add is that of the stratum effects, not of either mean: counted once, below.
    effects = [treated.mean_y - control.mean_y for treated, control in joined]
    overall = sum(weight * effect for weight, effect in zip(weights, effects, strict=True))
    between = sum(w * (effect - overall) ** 2 for w, effect in zip(weights, effects, strict=True)) / total
    treated, control = groups
    with_weights = Estimate(treated.n, treated.mean, treated.variance + between, treated.freedom)
    used = adjustment is not None and adjustment.applied
    method: EffectMethod = "post-stratified+cuped" if used else "post-stratified"
    effect = contrast(with_weights, control, alpha, method)
    return effect if isinstance(effect, NoEffect) else replace(effect, adjustment=adjustment)


def by_segment_and_branch(cells: Iterable[Cell], alpha: float) -> Effect | NoEffect:
    """All treated arms together against the hold-out, by the segment and branch of the assignment."""
    parts: dict[tuple[str, str], tuple[list[Moments], list[Moments]]] = {}
    for cell in cells:
        stratum = parts.setdefault((cell.segment, cell.branch), ([], []))
        stratum[cell.arm == HOLD_OUT].append(cell.moments)
    strata = [(merged(treated), merged(control)) for _, (treated, control) in sorted(parts.items())]
    return poststratified(strata, alpha)


def _without_covariate(strata: list[Stratum]) -> tuple[list[Stratum], Adjustment | None]:
    """θ is pooled within groups and strata: what strata explain, it need not."""
    within = [_within([stratum[side] for stratum in strata]) for side in (0, 1)]
    adjustment = cuped(within[0], within[1])
    if adjustment is None or not adjustment.applied:
        return strata, adjustment
    theta, centre = adjustment.theta, merged(part for stratum in strata for part in stratum).mean_x
    return [(mine.less(theta, centre), theirs.less(theta, centre)) for mine, theirs in strata], adjustment


def _within(parts: Sequence[Moments]) -> Moments:
    """What varies inside the parts, as if their means were one."""
    return merged(replace(part, mean_y=0.0, mean_x=0.0) for part in parts)


def collapsed(strata: Sequence[Stratum], at_least: int = SMALLEST_STRATUM) -> list[Stratum]:
    """Strata with at least so many in both groups; the small ones joined. Empty when all are too few."""
    by_size = sorted(strata, key=lambda stratum: min(stratum[0].n, stratum[1].n))
    found: list[Stratum] = []
    waiting: Stratum = (Moments(), Moments())
    for treated, control in by_size:
        if min(treated.n, control.n) >= at_least and waiting[0].n + waiting[1].n == 0:
            found.append((treated, control))
            continue
        waiting = (waiting[0].merge(treated), waiting[1].merge(control))
        if min(waiting[0].n, waiting[1].n) >= at_least:
            found.append(waiting)
            waiting = (Moments(), Moments())
    return found


def _weighted(parts: Sequence[Moments], weights: Sequence[float], total: int) -> Estimate:
    """Weighted mean of strata, its variance given the sizes, degrees of freedom by Satterthwaite."""
    mean = sum(weight * part.mean_y for weight, part in zip(weights, parts, strict=True))
    terms = [weight**2 * part.variance / part.n for weight, part in zip(weights, parts, strict=True)]
    variance = sum(terms)
    spread = sum(
        (term / variance) ** 2 / (part.n - 1) for term, part in zip(terms, parts, strict=True) if term > 0
    )
    freedom = 1 / spread if spread > 0 else float(total)
    return Estimate(sum(part.n for part in parts), mean, variance, freedom)
