"""Arms of any table compared: each metric by the method that fits it, from moments by group.

Moments come less a common shift, so that a difference of large numbers keeps its digits; what depends on the
level itself – means, the relative effect – is computed with the shift put back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from services.evaluation.domain.cluster import (
    Clustered,
    ClusterMoments,
    compare_cluster_means,
    compare_clusters,
)
from services.evaluation.domain.comoments import CoMoments, adjusted_effect, weigh
from services.evaluation.domain.effect import Adjustment, Effect, NoEffect, RelativeEffect, newcombe, welch
from services.evaluation.domain.ratio import ratio_effect
from services.evaluation.domain.sequential import always_valid_p, confidence_sequence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from services.evaluation.domain.effect import Interval

UNEQUAL = 0.001
"""Missing values that differ between arms by less than this chance are no accident."""
FEW = 30
"""Units of an arm below which intervals lean on the outcome being roughly normal."""
DOMINANT = 0.25
"""Share of an arm's variance beyond which one unit is worth a warning."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupMoments:
    """Moments of one outcome in G groups: p columns, the outcome first, all less their shifts.

    `n` (G,), `means` (G, p), `products` (G, p, p) centred sums of products, `largest` (G,) the largest
    centred square of the outcome.
    """

    n: NDArray[np.int64]
    means: NDArray[np.float64]
    products: NDArray[np.float64]
    largest: NDArray[np.float64]

    def take(self, chosen: NDArray[np.bool_]) -> GroupMoments:
        """Those groups, without the ones that have no unit."""
        kept = chosen & (self.n > 0)
        return GroupMoments(self.n[kept], self.means[kept], self.products[kept], self.largest[kept])

    def pooled(self) -> CoMoments:
        """All groups as one sample."""
        size = self.means.shape[1]
        n = int(self.n.sum())
        if n == 0:
            return CoMoments(0, np.zeros(size), np.zeros((size, size)))
        means = self.n @ self.means / n
        apart = self.means - means
        return CoMoments(n, means, self.products.sum(axis=0) + (apart * self.n[:, None]).T @ apart)

    def clusters(self) -> ClusterMoments:
        """Each group as a cluster."""
        return ClusterMoments(self.n.astype(np.float64), self.means[:, 0], self.products[:, 0, 0])

    def clusters_with(self, thetas: NDArray[np.float64]) -> ClusterMoments:
        """With the weighted sum of the covariates as the one covariate."""
        return replace(
            self.clusters(),
            mean_x=self.means[:, 1:] @ thetas,
            m2_x=np.maximum(np.einsum("i,gij,j->g", thetas, self.products[:, 1:, 1:], thetas), 0.0),
            c_xy=self.products[:, 0, 1:] @ thetas,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """How a metric is read. `shift` was taken from the outcome; `binary`: it is 0 or 1 for everybody."""

    alpha: float
    tuned_for: int
    shift: float = 0.0
    binary: bool = False
    clustered: bool = False


@dataclass(frozen=True, slots=True)
class Sequential:
    interval: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm against the control. Means are None for nobody; what is adjusted, without covariates."""

    n: int
    n_control: int
    mean: float | None
    mean_control: float | None
    effect: Effect | NoEffect
    method: str
    relative: RelativeEffect | None = None
    clustered: Clustered | None = None
    cluster_means: Clustered | None = None
    """With `clustered`: the same question of clusters, each counting once."""
    sequential: Sequential | None = None
    adjusted: Effect | NoEffect | None = None
    adjustment: Adjustment | None = None

    @property
    def difference(self) -> float | None:
        """Also where chance cannot be judged, but not of single units."""
        if isinstance(self.effect, Effect):
            return self.effect.difference
        if self.mean is None or self.mean_control is None or min(self.n, self.n_control) < 2:
            return None
        return self.mean - self.mean_control

    @property
    def tested(self) -> bool:
        """Whether chance was judged: of 0 and 1 there is an interval even where everybody is alike."""
        return isinstance(self.effect, Effect) and self.effect.standard_error > 0


def compare_samples(treated: GroupMoments, control: GroupMoments, reading: Reading) -> Comparison:
    """Means or proportions, also adjusted where there are covariates, clustered where groups are clusters."""
    mine, theirs = treated.pooled(), control.pooled()
    clustered: Clustered | NoEffect | None = None
    if min(mine.n, theirs.n) < 2:
        effect: Effect | NoEffect = too_few(mine.n, theirs.n)
    elif reading.clustered:
        clustered = compare_clusters(treated.clusters(), control.clusters(), reading.alpha)
        effect = clustered.effect() if isinstance(clustered, Clustered) else clustered
    elif reading.binary:
        effect = _proportions(mine, theirs, reading.alpha)
    else:
        effect = welch(mine.moments(), theirs.moments(), reading.alpha)
    found = Comparison(
        mine.n,
        theirs.n,
        _level(mine, reading),
        _level(theirs, reading),
        effect,
        _method(reading),
        clustered=clustered if isinstance(clustered, Clustered) else None,
        cluster_means=_cluster_means(treated, control, reading) if isinstance(clustered, Clustered) else None,
    )
    if isinstance(effect, Effect):
        units = len(treated.n) + len(control.n) if reading.clustered else mine.n + theirs.n
        found = replace(
            found,
            relative=_relative(treated, control, effect.difference, reading),
            sequential=sequential(effect, units, reading),
        )
    if mine.means.size > 1 and isinstance(effect, Effect):
        adjusted, adjustment = _adjusted(treated, control, reading)
        found = replace(found, adjusted=adjusted, adjustment=adjustment)
    return found


def compare_ratios(treated: GroupMoments, control: GroupMoments, reading: Reading) -> Comparison:
    """Σ of the first column ÷ Σ of the second; not shifted."""
    mine, theirs = treated.pooled(), control.pooled()
    effect = ratio_effect(mine.moments(0, 1), theirs.moments(0, 1), reading.alpha)
    found = Comparison(mine.n, theirs.n, _ratio(mine), _ratio(theirs), effect, "delta")
    if isinstance(effect, NoEffect):
        return found
    return replace(found, relative=effect.relative, sequential=sequential(effect, mine.n + theirs.n, reading))


def _ratio(sample: CoMoments) -> float | None:
    """None where nothing is divided by, or by so little that no number is large enough."""
    above, below = (float(mean) for mean in sample.means[:2])
    value = above / below if sample.n and below else inf
    return value if isfinite(value) else None


def sequential(effect: Effect, n: int, reading: Reading) -> Sequential | None:
    """None where the effect has no error to go by."""
    if not effect.standard_error > 0:
        return None
    return Sequential(
        confidence_sequence(effect.difference, effect.standard_error, n, reading.alpha, reading.tuned_for),
        always_valid_p(effect.difference, effect.standard_error, n, reading.tuned_for),
    )


def too_few(n: int, n_control: int) -> NoEffect:
    return NoEffect("too-few", f"{n} against {n_control}; 2 of each are needed")


def dominance(sample: GroupMoments) -> float:
    """Share of the sample's variance that its most distant unit brings, by its own group's mean."""
    spread = float(sample.products[:, 0, 0].sum())
    return float(sample.largest.max(initial=0.0)) / spread if spread > 0 else 0.0


def unequal_missing(present: Mapping[str, int], total: Mapping[str, int]) -> float | None:
    """p-value of Pearson's χ² that arms lack a value equally often; None where nobody or everybody does."""
    table = np.array([[present.get(arm, 0), count - present.get(arm, 0)] for arm, count in total.items()])
    if len(table) < 2 or (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        return None
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def labelled(wanted: str, labels: Iterable[str]) -> list[str]:
    """The labels that `wanted` can mean: itself; else alike but for case; else the same number or truth."""
    known = list(labels)
    text = wanted.strip()
    same = [label for label in known if label == text]
    alike = same or [label for label in known if label.casefold() == text.casefold()]
    return alike or [
        label for label in known if _amount(label) is not None and _amount(label) == _amount(text)
    ]


def _amount(label: str) -> float | None:
    """What a label counts as: 1, 1.0 and true are one thing to those who export tables."""
    word = label.casefold()
    if word in {"true", "false"}:
        return float(word == "true")
    try:
        amount = float(word)
    except ValueError:
        return None
    return amount if isfinite(amount) else None


def _cluster_means(treated: GroupMoments, control: GroupMoments, reading: Reading) -> Clustered | None:
    found = compare_cluster_means(treated.clusters(), control.clusters(), reading.alpha)
    return found if isinstance(found, Clustered) else None


def _proportions(treated: CoMoments, control: CoMoments, alpha: float) -> Effect:
    return newcombe(treated.moments(), control.moments(), alpha)


def _method(reading: Reading) -> str:
    if reading.clustered:
        return "cr2"
    return "newcombe" if reading.binary else "welch"


def _level(sample: CoMoments, reading: Reading) -> float | None:
    return float(sample.means[0]) + reading.shift if sample.n else None


def _relative(
    treated: GroupMoments, control: GroupMoments, difference: float, reading: Reading
) -> RelativeEffect | None:
    """At the level the values really have, where the difference itself has lost digits: it is put in anew."""
    mine, theirs = (_at_level(each, reading.shift) for each in (treated, control))
    base = float(theirs.pooled().means[0])
    if reading.clustered:
        found: Effect | Clustered | NoEffect = compare_clusters(
            mine.clusters(), theirs.clusters(), reading.alpha
        )
    elif reading.binary:
        found = _proportions(mine.pooled(), theirs.pooled(), reading.alpha)
    else:
        found = welch(mine.pooled().moments(), theirs.pooled().moments(), reading.alpha)
    if isinstance(found, NoEffect) or found.relative is None:
        return None
    low, high = (end - found.relative.value for end in found.relative.interval)
    value = difference / base
    return RelativeEffect(value, (value + low, value + high), found.relative.p_value)


def _at_level(sample: GroupMoments, shift: float) -> GroupMoments:
    means = sample.means.copy()
    means[:, 0] += shift
    return replace(sample, means=means)


def _adjusted(
    treated: GroupMoments, control: GroupMoments, reading: Reading
) -> tuple[Effect | NoEffect | None, Adjustment | None]:
    """By every covariate that varies; 0 and 1 are adjusted as the means they are."""
    mine, theirs = treated.pooled(), control.pooled()
    if not reading.clustered:
        effect = adjusted_effect(mine, theirs, "sum", reading.alpha)
        return effect, effect.adjustment if isinstance(effect, Effect) else None
    adjustment = weigh(mine, theirs)
    if adjustment is None:
        return None, None
    thetas = np.array(adjustment.thetas)
    weighed = compare_clusters(treated.clusters_with(thetas), control.clusters_with(thetas), reading.alpha)
    return (weighed.effect() if isinstance(weighed, Clustered) else weighed), adjustment
