"""Effects of many cells as the documents people and programs read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from math import inf
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from services.evaluation.domain.breakdown import CellEffect, break_down, cells_of, with_q_values
from services.evaluation.domain.cells import OF_ARM, CellTable
from services.evaluation.domain.definitions import kind_of_cells
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.heterogeneity import Heterogeneity, heterogeneity
from services.evaluation.domain.many import CellEffects, Contrasts, cell_effects
from services.evaluation.queries import documents
from services.evaluation.queries.documents import NOBODY_SAID, fines, number, numbers
from shared.contracts.evaluation import Breakdown, BreakdownBy, BreakdownRow
from shared.contracts.evaluation.effects import EffectMethod
from shared.contracts.events import Registration as Plan
from shared.contracts.metrics import MetricCreate, MetricKind
from shared.errors import FieldError, Unprocessable

MOST_ROWS = 30_000
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
    top: int | None = None,
) -> bytes:
    """The finished JSON of a `Breakdown`: a model for each of thousands of rows would take most of the time.

    By customers in columns; by clusters, where those were drawn by lot, cell by cell. `top` tells only so
    many rows, the surest; without it, Unprocessable where there are more than `MOST_ROWS`.
    """
    kind = kind_of_cells(metric)
    if kind is None:
        raise ValueError(f"{metric.key} has no cells")
    head = {"campaign_id": campaign_id, "by": dimensions, "metric": metric.key, "data_until": data_until}
    if plan.unit != "customer":
        parts = cells_of(cells.by(*dict.fromkeys(["arm", *OF_ARM, *dimensions, plan.unit])), plan.unit)
        found = with_q_values(break_down(parts, dimensions, kind, plan.alpha))
        shown = _surest(found, _most(len(found), top))
        shared = f"a {plan.unit} was drawn as a whole: cells may share some" if len(dimensions) == 1 else None
        rows = (documents.breakdown_row(cell, metric).model_dump(mode="json") for cell in shown)
        return _json({**head, "cells": len(found), "not_pooled": shared}, rows)
    effects = cell_effects(cells, dimensions, kind, plan.alpha)
    most = _most(len(effects), top)
    pooled = pooled_of(effects, dimensions, plan.alpha)
    told = {
        "cells": len(effects),
        "heterogeneity": _heterogeneity(pooled, metric) if isinstance(pooled, Heterogeneity) else None,
        "not_pooled": pooled.detail if isinstance(pooled, NoEffect) else None,
    }
    return _json({**head, **told}, _rows(effects, effects.surest(most), dimensions, metric, pooled))


def _most(cells: int, top: int | None) -> int:
    if top is not None or cells <= MOST_ROWS:
        return top or cells
    raise Unprocessable(
        f"These dimensions make {cells} cells; at most {MOST_ROWS} are told at once. Ask for the surest of"
        " them with `top`, which leaves q-values as they are over all cells, or for fewer dimensions.",
        errors=[
            FieldError("/query/by", f"makes {cells} cells"),
            FieldError("/query/top", "is required then"),
        ],
    )


def _surest(found: list[CellEffect], most: int) -> list[CellEffect]:
    p_values = [cell.effect.p_value if isinstance(cell.effect, Effect) else inf for cell in found]
    return [found[i] for i in sorted(sorted(range(len(found)), key=p_values.__getitem__)[:most])]


def _json(head: Mapping[str, object], rows: Iterable[dict[str, object]]) -> bytes:
    """Row by row: thousands of them at once would have the garbage collector look through everything."""
    told = Breakdown.model_validate({**head, "rows": []}).model_dump(mode="json")
    written = b",".join(orjson.dumps(row) for row in rows)
    return orjson.dumps({**told, "rows": orjson.Fragment(b"[" + written + b"]")})


def _rows(
    effects: CellEffects,
    shown: NDArray[np.int64],
    dimensions: Sequence[BreakdownBy],
    metric: MetricCreate,
    pooled: Heterogeneity | NoEffect | None,
) -> Iterator[dict[str, object]]:
    """One row for each cell that is shown; of a single dimension with the shrunk effects where there are."""
    names = [[name or NOBODY_SAID for name in effects.columns[key].names] for key in dimensions]
    codes = [effects.columns[key].codes[shown].tolist() for key in dimensions]
    label = ",".join(dimensions)
    told = iter(_told(effects, shown[effects.found.judged[shown]], metric, pooled))
    counts = zip(shown.tolist(), effects.n[shown].tolist(), effects.n_control[shown].tolist(), strict=True)
    for at, (cell, n, n_control) in enumerate(counts):
        missing = effects.missing(cell)
        yield {
            "dimension": label,
            "values": {key: of[code[at]] for key, of, code in zip(dimensions, names, codes, strict=True)},
            "n": n,
            "n_hold_out": n_control,
            **(next(told) if missing is None else _without(missing)),
        }


_NOTHING = {
    name: field.default for name, field in BreakdownRow.model_fields.items() if not field.is_required()
}


def _without(found: NoEffect) -> dict[str, object]:
    return {**_NOTHING, "error": found.detail, "error_code": found.code}


def _told(
    effects: CellEffects,
    judged: NDArray[np.int64],
    metric: MetricCreate,
    pooled: Heterogeneity | NoEffect | None,
) -> Iterator[dict[str, object]]:
    """What is said of cells that have an effect."""
    found, method = effects.found, _OF_KIND.get(metric.kind)
    columns = zip(
        *(
            numbers(values[judged], metric)
            for values in (found.mean, found.mean_control, found.difference, found.low, found.high)
        ),
        found.p_value[judged].tolist(),
        effects.q_values[judged].tolist(),
        fines(found.error[judged]),
        _cuped(found, judged),
        _shrunk(effects, judged, metric, pooled),
        strict=True,
    )
    for mean, mean_control, difference, low, high, p_value, q_value, error, cuped, shrunk in columns:
        yield {
            "mean": mean,
            "mean_hold_out": mean_control,
            "difference": difference,
            "ci": (low, high),
            "p_value": p_value,
            "q_value": q_value,
            "se": error,
            "method": method or ("welch+cuped" if cuped and cuped["applied"] else "welch"),
            "cuped": cuped,
            "shrunk": shrunk,
            "error": None,
            "error_code": None,
        }


def _cuped(found: Contrasts, judged: NDArray[np.int64]) -> Iterator[dict[str, object] | None]:
    """None where no covariate varies."""
    columns = (found.theta, found.correlation, found.applied)
    for theta, correlation, applied in zip(*(column[judged].tolist() for column in columns), strict=True):
        yield (
            {
                "theta": theta,
                "correlation": correlation,
                "variance_reduction": correlation**2 if applied else 0.0,
                "applied": applied,
            }
            if correlation
            else None
        )


def _shrunk(
    effects: CellEffects,
    judged: NDArray[np.int64],
    metric: MetricCreate,
    pooled: Heterogeneity | NoEffect | None,
) -> Iterable[dict[str, object] | None]:
    if not isinstance(pooled, Heterogeneity):
        return repeat(None, judged.size)
    cells = [pooled.cells[i] for i in np.searchsorted(_judged(effects), judged).tolist()]
    columns = ([cell.value for cell in cells], *zip(*(cell.interval for cell in cells), strict=True))
    told = zip(*(numbers(np.array(column), metric) for column in columns), strict=True)
    return ({"value": value, "ci": (low, high)} for value, low, high in told)


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
