"""From an assessment to the documents people and programs read. Nothing is computed here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from services.evaluation.domain.assess import OVERALL, Assessment, Guardrail
from services.evaluation.domain.breakdown import CellEffect
from services.evaluation.domain.definitions import MONEY
from services.evaluation.domain.effect import Adjustment, Effect, NoEffect
from services.evaluation.domain.effect import Clustering as OfClusters
from services.evaluation.domain.exposure import Effort
from services.evaluation.domain.health import Check, withheld
from services.evaluation.domain.money import Money
from services.evaluation.domain.sequential import always_valid_p, confidence_sequence
from services.evaluation.queries.health import as_contract
from shared.contracts.evaluation import (
    ArmEffect,
    BreakdownRow,
    Cuped,
    EvaluationError,
    Evidence,
    GuardrailEffect,
    Health,
    MoneyResult,
    PrimaryEffect,
    Relative,
    TargetCell,
)
from shared.contracts.evaluation.effects import Clustering
from shared.contracts.evaluation.results import MoneyPart
from shared.contracts.evaluation.windows import WindowEffect
from shared.contracts.metrics import Better, MetricCreate

NOBODY_SAID = "(none)"
"""A value nobody told: the customer had no tier, or no manager."""
_CENT, _FINE = Decimal("0.01"), Decimal("0.000001")
_NEAR_HALF, _ROUGH = 1e-3, 1e12
"""Below so many units a double is off by less than what is near a half of one."""


@dataclass(frozen=True)
class AlwaysValid:
    """How to make the interval that may be read at any time."""

    alpha: float
    tuned_for: int

    def of(self, effect: Effect) -> Effect | None:
        """None without a standard error."""
        n, error = effect.n + effect.n_control, effect.standard_error
        if error <= 0:
            return None
        return replace(
            effect,
            interval=confidence_sequence(effect.difference, error, n, self.alpha, self.tuned_for),
            p_value=always_valid_p(effect.difference, error, n, self.tuned_for),
        )


def number(value: float, metric: MetricCreate) -> Decimal:
    """Cents for money, six places for anything else."""
    return Decimal(repr(value)).quantize(_CENT if metric.kind in MONEY else _FINE)


def fine(value: float) -> Decimal:
    """Six places."""
    return Decimal(repr(value)).quantize(_FINE)


def numbers(values: NDArray[np.float64], metric: MetricCreate) -> list[str]:
    """The text of `number` for each of many finite values."""
    return _texts(values, _CENT if metric.kind in MONEY else _FINE)


def fines(values: NDArray[np.float64]) -> list[str]:
    """The text of `fine` for each of many finite values."""
    return _texts(values, _FINE)


def _texts(values: NDArray[np.float64], unit: Decimal) -> list[str]:
    """Most are rounded by their bits, which is several times as fast; those near a half by their digits."""
    places = -int(unit.as_tuple().exponent)
    told = [f"{value:.{places}f}" for value in values.tolist()]
    scaled = np.abs(values) * 10.0**places
    unsure = (np.abs(scaled - np.floor(scaled) - 0.5) < _NEAR_HALF) | (scaled > _ROUGH)
    for i in np.flatnonzero(unsure).tolist():
        told[i] = format(Decimal(repr(float(values[i]))).quantize(unit), "f")
    return told


def ends(interval: tuple[float, float], metric: MetricCreate) -> tuple[Decimal, Decimal]:
    return number(interval[0], metric), number(interval[1], metric)


def health(checks: Sequence[Check]) -> Health:
    return Health(
        verdict="withheld" if withheld(checks) else "ok", checks=[as_contract(check) for check in checks]
    )


def primary(
    assessment: Assessment, metric: MetricCreate, always: AlwaysValid | None = None
) -> PrimaryEffect | None:
    """Null while the verdict is withheld."""
    if not assessment.sound:
        return None
    computed = {arm: arm_effect(arm, effect, metric, always) for arm, effect in assessment.effects.items()}
    return PrimaryEffect(
        metric=metric.key,
        currency=metric.currency,
        better=metric.better,
        arms=[effect for arm, effect in computed.items() if effect is not None and arm != OVERALL],
        overall=computed[OVERALL],
        post_stratified=arm_effect(OVERALL, assessment.stratified, metric) if assessment.stratified else None,
    )


def arm_effect(
    arm: str, effect: Effect | NoEffect, metric: MetricCreate, always: AlwaysValid | None = None
) -> ArmEffect | None:
    if isinstance(effect, NoEffect):
        return None
    relative = effect.relative
    sequence = always.of(effect) if always else None
    return ArmEffect(
        arm=arm,
        n=effect.n,
        n_hold_out=effect.n_control,
        mean=number(effect.mean, metric),
        mean_hold_out=number(effect.mean_control, metric),
        difference=number(effect.difference, metric),
        se=Decimal(repr(effect.standard_error)).quantize(_FINE),
        ci=ends(effect.interval, metric),
        p_value=effect.p_value,
        method=effect.method,
        relative=Relative(value=relative.value, ci=relative.interval) if relative else None,
        cuped=_cuped(effect.adjustment) if effect.adjustment else None,
        always_valid_ci=ends(sequence.interval, metric) if sequence else None,
        always_valid_p=sequence.p_value if sequence else None,
        clustering=_clustering(effect.clustering) if effect.clustering else None,
    )


def _clustering(found: OfClusters) -> Clustering:
    return Clustering(
        clusters=found.clusters,
        clusters_hold_out=found.clusters_control,
        df=found.freedom,
        icc=found.icc,
        design_effect=found.design_effect,
    )


def window(days: int, matured: float, effect: Effect | NoEffect, metric: MetricCreate) -> WindowEffect:
    return WindowEffect(
        days=days,
        matured=matured,
        overall=arm_effect(OVERALL, effect, metric),
        error=effect.detail if isinstance(effect, NoEffect) else None,
    )


def _cuped(adjustment: Adjustment) -> Cuped:
    return Cuped(
        theta=adjustment.theta,
        correlation=adjustment.correlation,
        variance_reduction=adjustment.variance_reduction,
        applied=adjustment.applied,
    )


def guardrail(found: Guardrail, metric: MetricCreate, always: AlwaysValid | None = None) -> GuardrailEffect:
    return GuardrailEffect(
        metric=found.metric,
        better=Better.HIGHER if found.better > 0 else Better.LOWER,
        overall=arm_effect(OVERALL, found.effect, metric, always),
        harmed=found.harmed,
        method="harm" if found.margin is None else "non_inferiority",
        margin=None if found.margin is None else Decimal(repr(found.margin)),
    )


def errors(assessment: Assessment) -> list[EvaluationError]:
    """Everything that has no number, with its reason."""
    places: list[tuple[str, Effect | NoEffect]] = [
        *((f"primary/{arm}", effect) for arm, effect in assessment.effects.items()),
        *((f"guardrail/{found.metric}", found.effect) for found in assessment.guardrails),
        *([("primary/post_stratified", assessment.stratified)] if assessment.stratified else []),
    ]
    failed = [check for check in assessment.checks if check.withholds and not check.ok]
    return [
        *(
            EvaluationError(at=f"health/{check.name}", code="withheld", detail=check.detail.en)
            for check in failed
        ),
        *(
            EvaluationError(at=place, code=effect.code, detail=effect.detail)
            for place, effect in places
            if isinstance(effect, NoEffect)
        ),
    ]


def money(found: Money, metric: MetricCreate, effort: Effort) -> MoneyResult:
    return MoneyResult(
        treated=found.treated,
        incremental=number(found.incremental, metric),
        ci=ends(found.interval, metric),
        currency=metric.currency,
        incremental_contribution=found.contribution,
        contribution_ci=found.contribution_interval,
        parts=[MoneyPart(metric=part.metric, part=part.name, amount=part.amount) for part in found.parts],
        contact_cost=effort.cost,
        net=found.net,
        net_ci=found.net_interval,
        minutes=effort.minutes,
        contacts=effort.contacts,
        roi=found.roi,
        payback_days=found.payback_days,
    )


def breakdown_row(cell: CellEffect, metric: MetricCreate) -> BreakdownRow:
    effect = cell.effect
    known: dict[str, object] = (
        {"error": effect.detail, "error_code": effect.code}
        if isinstance(effect, NoEffect)
        else {
            "mean": number(effect.mean, metric),
            "mean_hold_out": number(effect.mean_control, metric),
            "difference": number(effect.difference, metric),
            "ci": ends(effect.interval, metric),
            "p_value": effect.p_value,
            "q_value": cell.q_value,
        }
    )
    return BreakdownRow.model_validate(
        {
            "dimension": ",".join(cell.dimensions),
            "values": {
                name: value or NOBODY_SAID for name, value in zip(cell.dimensions, cell.values, strict=True)
            },
            "n": cell.n,
            "n_hold_out": cell.n_control,
            **known,
        }
    )


def evidence(assessment: Assessment, metric: MetricCreate, assigned: Mapping[str, int]) -> Evidence:
    """The figures behind the advice; without an effect that may be read, only the counts."""
    effect, found = assessment.found.effect, assessment.money
    readable = assessment.sound and isinstance(effect, Effect)
    held_out = assigned.get("", 0)
    base = Evidence(
        rule=assessment.advice.rule,
        metric=metric.key,
        n=sum(assigned.values()) - held_out,
        n_hold_out=held_out,
        n_needed=assessment.advice.n_needed,
    )
    if not readable or not isinstance(effect, Effect):
        return base
    return base.model_copy(
        update={
            "n": effect.n,
            "n_hold_out": effect.n_control,
            "difference": number(effect.difference, metric),
            "ci": ends(effect.interval, metric),
            "p_value": effect.p_value,
            "incremental": number(found.incremental, metric) if found else None,
            "incremental_ci": ends(found.interval, metric) if found else None,
            "contact_cost": found.cost if found else None,
        }
    )


def target_cells(assessment: Assessment, metric: MetricCreate) -> list[TargetCell]:
    """Where to aim next, best first; of a re-target only."""
    if assessment.advice.action != "re_target":
        return []
    return [
        TargetCell.model_validate(
            {
                "dimension": cell.dimensions[0],
                "value": cell.values[0],
                "n": cell.n,
                "difference": number(cell.effect.difference, metric),
                "ci": ends(cell.effect.interval, metric),
                "q_value": cell.q_value,
            }
        )
        for cell in assessment.advice.cells
        if isinstance(cell.effect, Effect)
    ]
