"""Versions of scripts: from the registered arms to the documents people and programs read."""

from collections.abc import Sequence

from services.evaluation.domain.breakdown import Cell
from services.evaluation.domain.definitions import kind_of_cells
from services.evaluation.domain.effect import Effect
from services.evaluation.domain.scripts import OfScript, ScriptArm, Versus, against_each_other, of_scripts
from services.evaluation.queries.documents import arm_effect, ends, number
from shared.contracts.evaluation import Narrative
from shared.contracts.evaluation.scripts import ScriptComparison, ScriptEffect, ScriptEffects
from shared.contracts.events import Registration as Plan
from shared.contracts.metrics import MetricCreate

CAUSAL = Narrative(
    zh="客户由随机分组进入各方案：话术版本与对照组、版本之间的差异可作因果解读（按意向分析）。"
    "渠道或产品也不同时，差异属于整个方案，不能只归于话术；随附材料未登记，同样计入方案。",
    en="Customers were assigned to arms by lot: a version's difference from the hold-out, and from another"
    " version, is causal, by intention to treat. Where channel or offer differ too, it is that of the arms"
    " as they are, not of the words alone; so it is with materials, which are not registered.",
)


def arms_of(plan: Plan) -> list[ScriptArm]:
    return [ScriptArm(arm.key, arm.script, arm.channel, arm.offer) for arm in plan.arms]


def script_effects(plan: Plan, metric: MetricCreate, cells: Sequence[Cell]) -> ScriptEffects | None:
    """None of a metric that has no cells."""
    arms, kind = arms_of(plan), kind_of_cells(metric)
    if kind is None:
        return None
    return ScriptEffects(
        effects=[_effect(found, metric) for found in of_scripts(cells, arms, kind, plan.alpha)],
        comparisons=[
            _comparison(found, metric) for found in against_each_other(cells, arms, kind, plan.alpha)
        ],
        reading=CAUSAL,
    )


def _effect(found: OfScript, metric: MetricCreate) -> ScriptEffect:
    name = found.arms[0] if len(found.arms) == 1 else "all"
    missing = None if isinstance(found.effect, Effect) else found.effect
    return ScriptEffect(
        script=found.script,
        arms=list(found.arms),
        effect=arm_effect(name, found.effect, metric),
        error=missing.detail if missing else None,
        error_code=missing.code if missing else None,
    )


def _comparison(found: Versus, metric: MetricCreate) -> ScriptComparison:
    told = ScriptComparison(
        script=found.script,
        other=found.other,
        n=found.n,
        n_other=found.n_other,
        also_differ_in=list(found.also_differ_in),
    )
    effect = found.effect
    if not isinstance(effect, Effect):
        return told.model_copy(update={"error": effect.detail, "error_code": effect.code})
    return told.model_copy(
        update={
            "mean": number(effect.mean, metric),
            "mean_other": number(effect.mean_control, metric),
            "difference": number(effect.difference, metric),
            "ci": ends(effect.interval, metric),
            "p_value": effect.p_value,
            "q_value": found.q_value,
            "method": effect.method,
        }
    )
