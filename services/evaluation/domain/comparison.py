"""Treated against held out by the method that fits the kind of metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from services.evaluation.domain.cluster import ClusterMoments, compare_clusters
from services.evaluation.domain.effect import Effect, Kind, NoEffect, compare
from services.evaluation.domain.ratio import ratio_effect, without_denominator

if TYPE_CHECKING:
    from services.evaluation.domain.moments import Moments

MetricKind = Literal["sum", "count", "proportion", "balance", "ratio", "retention"]
"""Kinds of metrics whose cells add up from moments."""
_AS: dict[MetricKind, Kind] = {"sum": "sum", "count": "count", "proportion": "proportion", "balance": "sum"}


def compared(
    treated: Moments, control: Moments, kind: MetricKind, alpha: float, at_least: int = 2
) -> Effect | NoEffect:
    """The effect of a metric of this kind. Of a ratio and a retention, x of the moments is the denominator;
    of the others it is the covariate.
    """
    plain = _AS.get(kind)
    if plain is not None:
        return compare(treated, control, plain, alpha, at_least)
    if min(treated.n, control.n) < at_least:
        return too_few(treated.n, control.n, at_least)
    return ratio_effect(treated, control, alpha)


def compared_by_clusters(
    treated: ClusterMoments, control: ClusterMoments, kind: MetricKind, alpha: float
) -> Effect | NoEffect:
    """The same where managers or branches were drawn: by cluster-robust variance, of every kind."""
    if kind not in _AS:
        for name, group in (("treated", treated), ("held out", control)):
            if unclear := without_denominator(group.pooled(), name):
                return unclear
        treated, control = treated.linearised(), control.linearised()
    found = compare_clusters(treated, control, alpha)
    return found if isinstance(found, NoEffect) else found.effect()


def too_few(n: int, n_control: int, at_least: int) -> NoEffect:
    return NoEffect("too-few", f"{n} treated and {n_control} held out; {at_least} of each are needed")
