"""Effects where managers or branches were drawn, not customers.

Customers of one manager are alike: counted one by one they pretend to more evidence than there is. Everything
here follows from n, mean and centred sum of squares of each cluster. A cluster lies in one group only, since
it was drawn as a whole.

For the difference of two means the cluster-robust variance CR2 (Bell and McCaffrey 2002) has a closed form:
the ones of a cluster are an eigenvector of its block of the hat matrix, so that each cluster's residual sum
is divided by √(1 − nⱼ/N). The degrees of freedom are theirs too, by Satterthwaite from independent errors
(Imbens and Kolesár 2016).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from services.evaluation.domain.effect import (
    Adjustment,
    Clustering,
    Effect,
    Estimate,
    Interval,
    NoEffect,
    RelativeEffect,
    contrast,
    cuped,
    of_mean,
    satterthwaite,
    welch,
)
from services.evaluation.domain.moments import Moments, of_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Numbers = NDArray[np.float64]

FEWEST_FREEDOM = 4.0
"""Below, Satterthwaite's approximation does not hold (Pustejovsky and Tipton 2018)."""
ClusterMethod = Literal["cr2", "cr2+cuped", "cluster-means", "cluster-means+cuped"]


@dataclass(frozen=True, slots=True, eq=False)
class ClusterMoments:
    """One group's clusters: arrays of equal length J, one entry per cluster with at least one unit.

    Outcome y and, where there is one, covariate x, as in `Moments`.
    """

    n: Numbers
    mean: Numbers
    m2: Numbers
    mean_x: Numbers | None = None
    m2_x: Numbers | None = None
    c_xy: Numbers | None = None

    @property
    def clusters(self) -> int:
        return len(self.n)

    def pooled(self) -> Moments:
        """The units of all clusters as one sample."""
        units = float(self.n.sum())
        if not units:
            return Moments()
        centre = float(self.mean.mean())
        mean = centre + float(self.n @ (self.mean - centre)) / units
        apart = self.mean - mean
        whole = Moments(round(units), mean, float(self.m2.sum() + self.n @ apart**2))
        if self.mean_x is None or self.m2_x is None or self.c_xy is None:
            return whole
        middle = float(self.mean_x.mean())
        mean_x = middle + float(self.n @ (self.mean_x - middle)) / units
        apart_x = self.mean_x - mean_x
        return replace(
            whole,
            mean_x=mean_x,
            m2_x=float(self.m2_x.sum() + self.n @ apart_x**2),
            c_xy=float(self.c_xy.sum() + self.n @ (apart * apart_x)),
        )

    def less(self, theta: float, centre: float) -> ClusterMoments:
        """Clusters of y − θ(x − centre)."""
        if self.mean_x is None or self.m2_x is None or self.c_xy is None:
            return self
        rest = self.m2 - 2 * theta * self.c_xy + theta * theta * self.m2_x
        return ClusterMoments(self.n, self.mean - theta * (self.mean_x - centre), np.maximum(rest, 0.0))

    def linearised(self) -> ClusterMoments:
        """Of y ÷ x over the whole group, as a mean: z = R + (y − R·x) ÷ x̄. The mean of x is not zero."""
        whole = self.pooled()
        ratio = whole.mean_y / whole.mean_x
        of = self.less(ratio, whole.mean_x)
        # `less` leaves y − R(x − x̄), whose mean is ȳ = R·x̄.
        return ClusterMoments(of.n, of.mean / whole.mean_x, of.m2 / whole.mean_x**2)


@dataclass(frozen=True, slots=True)
class Clustered:
    """Difference of two means in the outcome's unit, with what being alike costs.

    `clusters` of the treated; `icc` by analysis of variance within groups, and the design effect
    1 + (m − 1)·ICC at m = Σn²/Σn units per cluster; both None when every cluster is a single unit.
    """

    n: int
    n_control: int
    mean: float
    mean_control: float
    difference: float
    standard_error: float
    freedom: float
    interval: Interval
    p_value: float
    clusters: int
    clusters_control: int
    icc: float | None
    design_effect: float | None
    method: ClusterMethod
    relative: RelativeEffect | None = None
    adjustment: Adjustment | None = None

    def effect(self) -> Effect:
        """The same as an effect like any other."""
        return Effect(
            n=self.n,
            n_control=self.n_control,
            mean=self.mean,
            mean_control=self.mean_control,
            difference=self.difference,
            standard_error=self.standard_error,
            interval=self.interval,
            p_value=self.p_value,
            method=self.method,
            relative=self.relative,
            adjustment=self.adjustment,
            clustering=Clustering(
                self.clusters, self.clusters_control, self.freedom, self.icc, self.design_effect
            ),
        )


def of_moments(clusters: Sequence[Moments]) -> ClusterMoments:
    """From one sample per cluster; those without units are left out."""
    filled = [each for each in clusters if each.n]
    columns = [
        np.array([getattr(each, field.name) for each in filled], dtype=np.float64)
        for field in fields(Moments)
    ]
    return ClusterMoments(*columns)


def of_units(values: ArrayLike, clusters: ArrayLike, covariate: ArrayLike | None = None) -> ClusterMoments:
    """From one finite value and one cluster name (or number) per unit, of one group."""
    y = np.asarray(values, dtype=np.float64)
    _, code, count = np.unique(np.asarray(clusters), return_inverse=True, return_counts=True)
    n = count.astype(np.float64)
    mean, deviation = _centred(y, code, n)
    m2 = _sums(deviation**2, code, n)
    if covariate is None:
        return ClusterMoments(n, mean, m2)
    mean_x, deviation_x = _centred(np.asarray(covariate, dtype=np.float64), code, n)
    m2_x = _sums(deviation_x**2, code, n)
    return ClusterMoments(n, mean, m2, mean_x, m2_x, _sums(deviation * deviation_x, code, n))


def _centred(values: Numbers, code: NDArray[np.intp], n: Numbers) -> tuple[Numbers, Numbers]:
    """Means by cluster, and each unit's deviation from its own."""
    centre = float(values.mean()) if values.size else 0.0
    shifted = values - centre
    means = _sums(shifted, code, n) / n
    return centre + means, shifted - means[code]


def _sums(values: Numbers, code: NDArray[np.intp], n: Numbers) -> Numbers:
    return np.bincount(code, values, len(n)).astype(np.float64)


def compare_clusters(treated: ClusterMoments, control: ClusterMoments, alpha: float) -> Clustered | NoEffect:
    """Difference of the means over units by CR2, adjusted for the covariate where it helps.

    NoEffect when the clusters are too few or too unequal: below four degrees of freedom.
    """
    few = _too_few(treated, control)
    if few:
        return few
    treated, control, adjustment = _without_covariate(treated, control)
    freedom = _freedom(treated, control)
    if freedom < FEWEST_FREEDOM:
        return NoEffect(
            "too-few-clusters",
            f"{treated.clusters} clusters against {control.clusters} of such unequal sizes count as"
            f" {freedom:.1f} degrees of freedom; {FEWEST_FREEDOM:g} are needed",
        )
    effect = contrast(_robust(treated), _robust(control), alpha, "cr2", freedom)
    return _clustered(effect, freedom, treated, control, adjustment)


def compare_cluster_means(
    treated: ClusterMoments, control: ClusterMoments, alpha: float
) -> Clustered | NoEffect:
    """Difference of the means over clusters, each counting once, by Welch.

    Another question than `compare_clusters` where large clusters respond otherwise than small ones.
    """
    few = _too_few(treated, control)
    if few:
        return few
    treated, control, adjustment = _without_covariate(treated, control)
    mine, theirs = of_values(treated.mean), of_values(control.mean)
    effect, freedom = welch(mine, theirs, alpha), 0.0
    if isinstance(effect, Effect):
        effect = replace(effect, n=treated.pooled().n, n_control=control.pooled().n, method="cluster-means")
        freedom = satterthwaite(of_mean(mine), of_mean(theirs))
    return _clustered(effect, freedom, treated, control, adjustment)


def intraclass(treated: ClusterMoments, control: ClusterMoments) -> float | None:
    """Intraclass correlation by one-way analysis of variance within groups (Donner 1986), from 0 to 1.

    None when no cluster has two units, or no group two clusters.
    """
    groups = (treated, control)
    units = sum(float(group.n.sum()) for group in groups)
    clusters = sum(group.clusters for group in groups)
    if units <= clusters or clusters <= 2:
        return None
    between = sum(float(group.n @ (group.mean - group.pooled().mean_y) ** 2) for group in groups)
    within = sum(float(group.m2.sum()) for group in groups) / (units - clusters)
    size = units - sum(float(group.n @ group.n) / float(group.n.sum()) for group in groups)
    between, size = between / (clusters - 2), size / (clusters - 2)
    scale = between + (size - 1) * within
    return min(max((between - within) / scale, 0.0), 1.0) if scale > 0 else None


def _too_few(treated: ClusterMoments, control: ClusterMoments) -> NoEffect | None:
    if min(treated.clusters, control.clusters) >= 2:
        return None
    return NoEffect(
        "too-few-clusters",
        f"{treated.clusters} clusters against {control.clusters}; 2 of each are needed, and more to judge",
    )


def _without_covariate(
    treated: ClusterMoments, control: ClusterMoments
) -> tuple[ClusterMoments, ClusterMoments, Adjustment | None]:
    mine, theirs = treated.pooled(), control.pooled()
    adjustment = cuped(mine, theirs)
    if adjustment is None or not adjustment.applied:
        return treated, control, adjustment
    centre = mine.merge(theirs).mean_x
    theta = adjustment.theta
    return treated.less(theta, centre), control.less(theta, centre), adjustment


def _robust(group: ClusterMoments) -> Estimate:
    """Mean over units with its CR2 variance."""
    pooled = group.pooled()
    share = group.n / pooled.n
    variance = float(np.sum((share * (group.mean - pooled.mean_y)) ** 2 / (1 - share)))
    return Estimate(pooled.n, pooled.mean_y, variance, group.clusters - 1)


def _freedom(treated: ClusterMoments, control: ClusterMoments) -> float:
    """Bell and McCaffrey: (tr G)² ÷ tr G², where G is the clusters' covariances under independent errors.

    G has a block for each group, and outside its diagonal rank one.
    """
    trace = norm = 0.0
    for group in (treated, control):
        units = float(group.n.sum())
        share = group.n / units
        lever = share**2 / (1 - share)
        trace += 1 / units
        norm += (float(share @ share) + float(lever.sum()) ** 2 - float(lever @ lever)) / units**2
    return trace**2 / norm


def _clustered(
    effect: Effect | NoEffect,
    freedom: float,
    treated: ClusterMoments,
    control: ClusterMoments,
    adjustment: Adjustment | None,
) -> Clustered | NoEffect:
    if isinstance(effect, NoEffect):
        return effect
    icc = intraclass(treated, control)
    sizes = np.concatenate([treated.n, control.n])
    size = float(sizes @ sizes / sizes.sum())
    plain: ClusterMethod = "cr2" if effect.method == "cr2" else "cluster-means"
    with_covariate: ClusterMethod = "cr2+cuped" if plain == "cr2" else "cluster-means+cuped"
    return Clustered(
        n=effect.n,
        n_control=effect.n_control,
        mean=effect.mean,
        mean_control=effect.mean_control,
        difference=effect.difference,
        standard_error=effect.standard_error,
        freedom=freedom,
        interval=effect.interval,
        p_value=effect.p_value,
        clusters=treated.clusters,
        clusters_control=control.clusters,
        icc=icc,
        design_effect=None if icc is None else 1 + (size - 1) * icc,
        method=with_covariate if adjustment is not None and adjustment.applied else plain,
        relative=effect.relative,
        adjustment=adjustment,
    )
