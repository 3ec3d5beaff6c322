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
from shared.contracts.evaluation import Breakdown, BreakdownBy, BreakdownRow, Cuped
from shared.contracts.evaluation.effects import EffectMethod
from shared.contracts.evaluation.heterogeneity import DimensionHeterogeneity, ShrunkEffect
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
    told = Breakdown(
        campaign_id=campaign_id,
        by=list(dimensions),
        metric=metric.key,
        data_until=data_until,
        rows=[],
    )
    if plan.unit != "customer":
        parts = cells_of(cells.by(*dict.fromkeys(["arm", *OF_ARM, *dimensions, plan.unit])), plan.unit)
        found = with_q_values(break_down(parts, dimensions, kind, plan.alpha))
        told.rows = [documents.breakdown_row(cell, metric) for cell in found]
        if len(dimensions) == 1:
            told.not_pooled = f"a {plan.unit} was drawn as a whole: cells may share some"
        return told
    effects = cell_effects(cells, dimensions, kind, plan.alpha)
    pooled = pooled_of(effects, dimensions, plan.alpha)
    told.rows = rows_of(effects, dimensions, metric, pooled)
    if isinstance(pooled, NoEffect):
        told.not_pooled = pooled.detail
    elif pooled is not None:
        told.heterogeneity = heterogeneity_of(pooled, metric)
    return told


def rows_of(
    effects: CellEffects,
    dimensions: Sequence[BreakdownBy],
    metric: MetricCreate,
    pooled: Heterogeneity | NoEffect | None,
) -> list[BreakdownRow]:
    """One row a cell, in their order; of a single dimension with the shrunk effects where there are any."""
    shrunk = (
        dict(zip(_judged(effects), pooled.cells, strict=True)) if isinstance(pooled, Heterogeneity) else {}
    )
    values = [effects.columns[name].values() for name in dimensions]
    label = ",".join(dimensions)
    rows = []
    for i, of_cell in enumerate(zip(*values, strict=True)):
        named = {name: value or NOBODY_SAID for name, value in zip(dimensions, of_cell, strict=True)}
        row = BreakdownRow.model_construct(
            dimension=label, values=named, n=int(effects.n[i]), n_hold_out=int(effects.n_control[i])
        )
        if i in effects.missing:
            row.error = effects.missing[i].detail
        else:
            _tell(row, effects, i, metric)
            if i in shrunk:
                row.shrunk = ShrunkEffect(
                    value=number(shrunk[i].value, metric), ci=ends(shrunk[i].interval, metric)
                )
        rows.append(row)
    return rows


def _tell(row: BreakdownRow, effects: CellEffects, i: int, metric: MetricCreate) -> None:
    found = effects.found
    row.mean = number(float(found.mean[i]), metric)
    row.mean_hold_out = number(float(found.mean_control[i]), metric)
    row.difference = number(float(found.difference[i]), metric)
    row.ci = ends((float(found.low[i]), float(found.high[i])), metric)
    row.p_value = float(found.p_value[i])
    row.q_value = effects.q_values[i]
    row.se = fine(float(found.error[i]))
    applied, correlation = bool(found.applied[i]), float(found.correlation[i])
    row.method = _OF_KIND.get(metric.kind, "welch+cuped" if applied else "welch")
    if correlation:
        row.cuped = Cuped(
            theta=float(found.theta[i]),
            correlation=correlation,
            variance_reduction=correlation**2 if applied else 0.0,
            applied=applied,
        )


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


def heterogeneity_of(found: Heterogeneity, metric: MetricCreate) -> DimensionHeterogeneity:
    return DimensionHeterogeneity(
        q=found.q,
        df=found.freedom,
        p_value=found.p_value,
        tau2=found.tau2,
        pooled=number(found.pooled, metric),
    )


def _judged(effects: CellEffects) -> list[int]:
    return np.flatnonzero(effects.found.judged).tolist()
