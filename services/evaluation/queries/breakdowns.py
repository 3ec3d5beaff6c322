"""Effects of many cells as the documents people and programs read."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import numpy as np

from services.evaluation.domain.breakdown import break_down, cells_of, with_q_values
from services.evaluation.domain.cells import OF_ARM, CellTable
from services.evaluation.domain.definitions import kind_of_cells
from services.evaluation.domain.effect import NoEffect
from services.evaluation.domain.heterogeneity import Heterogeneity, heterogeneity
from services.evaluation.domain.many import CellEffects, cell_effects
from services.evaluation.queries import documents
from services.evaluation.queries.documents import NOBODY_SAID, ends, fine, number
from shared.contracts.evaluation import Breakdown, BreakdownBy
from shared.contracts.evaluation.effects import EffectMethod
from shared.contracts.events import Registration as Plan
from shared.contracts.metrics import MetricCreate, MetricKind

MOST_ROWS = 20_000
_OF_KIND: dict[MetricKind, EffectMethod] = {
    MetricKind.PROPORTION: "newcombe",
    MetricKind.RATIO: "delta",
    MetricKind.RETENTION: "delta",
}


def breakdown(
    campaign_id: UUID,
    data_until: datetime,
    cells: CellTable,
    dimensions: Sequence[BreakdownBy],
    plan: Plan,
    metric: MetricCreate,
) -> Breakdown:
    """By customers in columns; by clusters, where those were drawn by lot, cell by cell."""
    kind = kind_of_cells(metric)
    if kind is None:
        raise ValueError(f"{metric.key} has no cells")
    head = {"campaign_id": campaign_id, "by": dimensions, "metric": metric.key, "data_until": data_until}
    if plan.unit != "customer":
        parts = cells_of(cells.by(*dict.fromkeys(["arm", *OF_ARM, *dimensions, plan.unit])), plan.unit)
        found = with_q_values(break_down(parts, dimensions, kind, plan.alpha))
        rows = [documents.breakdown_row(cell, metric) for cell in found]
        shared = f"a {plan.unit} was drawn as a whole: cells may share some" if len(dimensions) == 1 else None
        return Breakdown.model_validate({**head, "rows": rows, "not_pooled": shared})
    effects = cell_effects(cells, dimensions, kind, plan.alpha)
    pooled = pooled_of(effects, dimensions, plan.alpha)
    return Breakdown.model_validate(
        {
            **head,
            "rows": _rows(effects, dimensions, metric, pooled),
            "heterogeneity": _heterogeneity(pooled, metric) if isinstance(pooled, Heterogeneity) else None,
            "not_pooled": pooled.detail if isinstance(pooled, NoEffect) else None,
        }
    )


def _rows(
    effects: CellEffects,
    dimensions: Sequence[BreakdownBy],
    metric: MetricCreate,
    pooled: Heterogeneity | NoEffect | None,
) -> list[dict[str, object]]:
    """One row a cell, in their order; of a single dimension with the shrunk effects where there are any.

    Plain until all of them are validated at once: a model for each would take most of the time.
    """
    shrunk = (
        dict(zip(_judged(effects), pooled.cells, strict=True)) if isinstance(pooled, Heterogeneity) else {}
    )
    values = [[value or NOBODY_SAID for value in effects.columns[name].values()] for name in dimensions]
    label = ",".join(dimensions)
    counts = zip(effects.n.tolist(), effects.n_control.tolist(), strict=True)
    rows: list[dict[str, object]] = []
    for i, (of_cell, (n, n_control)) in enumerate(zip(zip(*values, strict=True), counts, strict=True)):
        row: dict[str, object] = {
            "dimension": label,
            "values": dict(zip(dimensions, of_cell, strict=True)),
            "n": n,
            "n_hold_out": n_control,
        }
        row |= {"error": effects.missing[i].detail} if i in effects.missing else _told(effects, i, metric)
        if i in shrunk:
            row["shrunk"] = {
                "value": number(shrunk[i].value, metric),
                "ci": ends(shrunk[i].interval, metric),
            }
        rows.append(row)
    return rows


def _told(effects: CellEffects, i: int, metric: MetricCreate) -> dict[str, object]:
    found = effects.found
    applied, correlation = bool(found.applied[i]), float(found.correlation[i])
    cuped = {
        "theta": float(found.theta[i]),
        "correlation": correlation,
        "variance_reduction": correlation**2 if applied else 0.0,
        "applied": applied,
    }
    return {
        "mean": number(float(found.mean[i]), metric),
        "mean_hold_out": number(float(found.mean_control[i]), metric),
        "difference": number(float(found.difference[i]), metric),
        "ci": ends((float(found.low[i]), float(found.high[i])), metric),
        "p_value": float(found.p_value[i]),
        "q_value": effects.q_values[i],
        "se": fine(float(found.error[i])),
        "method": _OF_KIND.get(metric.kind, "welch+cuped" if applied else "welch"),
        "cuped": cuped if correlation else None,
    }


def pooled_of(
    effects: CellEffects, dimensions: Sequence[BreakdownBy], alpha: float
) -> Heterogeneity | NoEffect | None:
    """Whether the effect differs between the cells of a single dimension; of several, nothing."""
    if len(dimensions) != 1:
        return None
    if dimensions[0] in OF_ARM:
        return NoEffect("too-few", "its cells share one hold-out, so that they differ together")
    rows = _judged(effects)
    return heterogeneity(effects.found.difference[rows].tolist(), effects.found.error[rows].tolist(), alpha)


def _heterogeneity(found: Heterogeneity, metric: MetricCreate) -> dict[str, object]:
    return {
        "q": found.q,
        "df": found.freedom,
        "p_value": found.p_value,
        "tau2": found.tau2,
        "pooled": number(found.pooled, metric),
    }


def _judged(effects: CellEffects) -> list[int]:
    return np.flatnonzero(effects.found.judged).tolist()
