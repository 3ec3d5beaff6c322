"""Samples of a table by group, and one arm compared with the control in one metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.evaluation.domain.analysis import (
    Comparison,
    GroupMoments,
    Reading,
    compare_ratios,
    compare_samples,
    too_few,
)
from services.evaluation.domain.effect import Effect
from services.evaluation.domain.quantile import quantile_effect
from services.evaluation.queries.analysis_plan import Metric, Plan
from services.evaluation.store.observations import Observations, Outcome, Profile
from shared.contracts.evaluation.analyse import AnalyseOptions

_AT_ONCE = 24
"""Columns whose moments are taken in one pass."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Groups by their labels: by metric the keys of each label (G,), and the moments."""

    groups: Mapping[Metric, tuple[Sequence[NDArray[np.object_]], GroupMoments]]

    def of(self, metric: Metric, *labels: str) -> GroupMoments:
        """The groups whose first labels are these."""
        keys, moments = self.groups[metric]
        chosen = np.ones(len(moments.n), dtype=np.bool_)
        for key, label in zip(keys, labels, strict=False):
            chosen &= np.asarray(key == label, dtype=np.bool_)
        return moments.take(chosen)

    def values(self, label: int) -> list[str]:
        """Of one label, in order."""
        return sorted({str(value) for keys, _ in self.groups.values() for value in keys[label]})


@dataclass(frozen=True, slots=True)
class Survey:
    """One table, understood: who is compared with whom in what. `arms` as counted."""

    observations: Observations
    plan: Plan
    options: AnalyseOptions
    arms: Mapping[str, int]
    control: str
    profiles: Sequence[Profile]

    @property
    def treated(self) -> list[str]:
        return [arm for arm in self.arms if arm != self.control]

    def binary(self, metric: Metric) -> bool:
        return metric.kind == "value" and self.profiles[metric.measures[0]].binary

    def samples(self, *by: str) -> Samples:
        """By the arm, then by the other labels, then by cluster where there is one."""
        keys = ("arm", *by, *(["cluster"] if self.options.cluster else []))
        metrics = [metric for metric in self.plan.metrics if metric.kind != "quantile"]
        step = max(_AT_ONCE // (1 + len(self.plan.covariates)) ** 2, 1)
        groups: dict[Metric, tuple[Sequence[NDArray[np.object_]], GroupMoments]] = {}
        for start in range(0, len(metrics), step):
            part = metrics[start : start + step]
            grouped = self.observations.moments([self._outcome(metric) for metric in part], *keys)
            groups |= {
                metric: (grouped.keys, moments) for metric, moments in zip(part, grouped.moments, strict=True)
            }
        return Samples(groups)

    def compare(self, metric: Metric, treated: GroupMoments, control: GroupMoments) -> Comparison:
        reading = self._reading(metric)
        if metric.kind == "ratio":
            return compare_ratios(treated, control, reading)
        return compare_samples(treated, control, reading)

    def compare_quantiles(self, metric: Metric, arm: str) -> Comparison:
        """Over all values of both arms."""
        mine, theirs = (self.observations.values(metric.measures[0], each) for each in (arm, self.control))
        levels = [float(np.quantile(each, metric.quantile)) if each.size else None for each in (mine, theirs)]
        few = min(mine.size, theirs.size) < 2
        effect = (
            too_few(mine.size, theirs.size)
            if few
            else quantile_effect(mine, theirs, metric.quantile, self.options.alpha)
        )
        relative = effect.relative if isinstance(effect, Effect) else None
        return Comparison(
            mine.size, theirs.size, levels[0], levels[1], effect, "order-statistics", relative=relative
        )

    def _outcome(self, metric: Metric) -> Outcome:
        at = metric.measures[0]
        if metric.kind == "ratio":
            return Outcome(at, 0.0, [(metric.measures[1], 0.0)], imputed=False)
        covariates = [(place, self.profiles[place].mean) for place in self.plan.covariates]
        return Outcome(at, self._shift(metric), covariates)

    def _shift(self, metric: Metric) -> float:
        return 0.0 if self.binary(metric) else self.profiles[metric.measures[0]].mean

    def _reading(self, metric: Metric) -> Reading:
        return Reading(
            self.options.alpha,
            self.options.tuned_for,
            self._shift(metric),
            binary=self.binary(metric),
            clustered=self.options.cluster is not None,
        )
