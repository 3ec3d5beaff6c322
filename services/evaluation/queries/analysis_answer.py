"""What was found, as the contract tells it: plain numbers, and null for what was not computed."""

from collections.abc import Mapping
from math import isfinite
from typing import Literal

from services.evaluation.domain.analysis import Comparison
from services.evaluation.domain.effect import Effect, Interval, NoEffect
from services.evaluation.domain.srm import SplitCheck
from services.evaluation.queries.analysis_plan import Metric
from services.evaluation.queries.analysis_survey import Survey
from shared.contracts.evaluation.analyse import (
    AlwaysValid,
    ClusterAnalysis,
    ClusterMeans,
    CupedAnalysis,
    MetricAnalysis,
    MetricKind,
    SplitAnalysis,
    Winsorised,
)

Counted = Literal["rows", "units", "clusters"]


def metric_analysis(
    survey: Survey,
    metric: Metric,
    arm: str,
    found: Comparison,
    *,
    present: Mapping[str, int],
    winsorised: Winsorised | None,
) -> MetricAnalysis:
    effect = found.effect if isinstance(found.effect, Effect) else None
    relative = found.relative
    return MetricAnalysis(
        metric=metric.name,
        arm=arm,
        control=survey.control,
        n=found.n,
        n_control=found.n_control,
        mean=figure(found.mean),
        mean_control=figure(found.mean_control),
        difference=figure(found.difference),
        se=figure(effect.standard_error) if effect and found.tested else None,
        ci=ends(effect.interval) if effect else None,
        p_value=figure(effect.p_value) if effect and found.tested else None,
        relative=figure(relative.value) if relative else None,
        relative_ci=ends(relative.interval) if relative and found.tested else None,
        relative_p_value=figure(relative.p_value) if relative and found.tested else None,
        kind=_kind(survey, metric),
        method=found.method,
        always_valid=_always_valid(found, survey.options.tuned_for),
        cuped=_cuped(found, survey),
        cluster=_cluster(found),
        winsorised=winsorised,
        missing=survey.arms[arm] - present.get(arm, 0),
        missing_control=survey.arms[survey.control] - present.get(survey.control, 0),
    )


def split_analysis(split: SplitCheck, counted: Counted, observed: Mapping[str, int]) -> SplitAnalysis:
    return SplitAnalysis(
        chi2=split.chi2,
        df=split.freedom,
        p_value=split.p_value,
        alarm=not split.passes,
        counted=counted,
        observed=dict(observed),
        expected=split.expected,
        undeclared=split.strangers,
    )


def figure(number: float | None) -> float | None:
    return None if number is None or not isfinite(number) else float(number)


def ends(interval: Interval) -> tuple[float, float] | None:
    low, high = interval
    return (float(low), float(high)) if isfinite(low) and isfinite(high) else None


def _kind(survey: Survey, metric: Metric) -> MetricKind:
    if metric.kind == "value":
        return "proportion" if survey.binary(metric) else "mean"
    return metric.kind


def _always_valid(found: Comparison, tuned_for: int) -> AlwaysValid | None:
    interval = ends(found.sequential.interval) if found.sequential else None
    if found.sequential is None or interval is None:
        return None
    return AlwaysValid(ci=interval, p_value=found.sequential.p_value, tuned_for=tuned_for)


def _cuped(found: Comparison, survey: Survey) -> CupedAnalysis | None:
    adjustment = found.adjustment
    if adjustment is None:
        return None
    effect = None if isinstance(found.adjusted, NoEffect) else found.adjusted
    names = [survey.plan.layout.measures[at].column.name for at in survey.plan.covariates]
    return CupedAnalysis(
        difference=figure(effect.difference) if effect else None,
        se=figure(effect.standard_error) if effect else None,
        ci=ends(effect.interval) if effect else None,
        p_value=figure(effect.p_value) if effect else None,
        theta=dict(zip(names, adjustment.thetas, strict=True)),
        correlation=adjustment.correlation,
        variance_reduction=adjustment.variance_reduction,
        applied=adjustment.applied,
    )


def _cluster(found: Comparison) -> ClusterAnalysis | None:
    clustered, means = found.clustered, found.cluster_means
    if clustered is None:
        return None
    return ClusterAnalysis(
        clusters=clustered.clusters,
        clusters_control=clustered.clusters_control,
        icc=figure(clustered.icc),
        design_effect=figure(clustered.design_effect),
        df=figure(clustered.freedom),
        means=ClusterMeans(
            difference=figure(means.difference),
            se=figure(means.standard_error),
            ci=ends(means.interval),
            p_value=figure(means.p_value),
            df=figure(means.freedom),
        )
        if means
        else None,
    )
