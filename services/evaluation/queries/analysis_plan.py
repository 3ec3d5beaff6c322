"""What is asked of a table, in terms of its columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.evaluation.store.columns import Measure
from services.evaluation.store.observations import Layout
from services.evaluation.store.tables import Table, TableColumn
from shared.contracts.evaluation.analyse import AnalyseOptions, Combine
from shared.errors import FieldError, Unprocessable

_QUANTILE = re.compile(r"(.+):p(\d{1,2}(?:\.\d{1,3})?)")


@dataclass(frozen=True, slots=True)
class Metric:
    """One outcome. `measures`: positions of its columns, of a ratio numerator and denominator."""

    name: str
    kind: Literal["value", "ratio", "quantile"]
    measures: tuple[int, ...]
    quantile: float = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """`covariates`: positions of their columns in `layout.measures`."""

    layout: Layout
    metrics: Sequence[Metric]
    covariates: Sequence[int]


def plan_of(table: Table, options: AnalyseOptions) -> Plan:
    """422 where a column is missing, or asked to be two things that exclude each other."""
    arm = table.column(options.arm, "arm")
    unit = table.column(options.unit, "unit") if options.unit else None
    cluster = table.column(options.cluster, "cluster") if options.cluster else None
    dimensions = [table.column(name, "dimensions") for name in dict.fromkeys(options.dimensions)]
    measures: list[Measure] = []
    metrics = [_metric(table, name, options, measures) for name in dict.fromkeys(options.metrics)]
    outcomes = {measure.column for measure in measures}
    covariates = []
    for name in dict.fromkeys(options.covariates):
        column = table.column(name, "covariates")
        if column in outcomes:
            _refuse("covariates", f"The column {name!r} cannot be a metric and a covariate at once")
        covariates.append(_placed(measures, Measure(column, "mean", "covariates")))
    used = [unit, cluster, *dimensions, *(measure.column for measure in measures)]
    if arm in used:
        _refuse("arm", f"The column {options.arm!r} says the arm: it can be nothing else besides")
    return Plan(Layout(arm, unit, cluster, measures, dimensions), metrics, covariates)


def _metric(table: Table, name: str, options: AnalyseOptions, measures: list[Measure]) -> Metric:
    """A column of that very name comes before any reading of it as a ratio or a quantile."""
    pair = None if table.has(name) else _pair(table, name)
    quantile = None if table.has(name) or pair else _QUANTILE.fullmatch(name)
    if options.cluster and (pair or quantile):
        kind = "ratio" if pair else "quantile"
        _refuse("metrics", f"{name!r} is a {kind}, and with a cluster only plain columns are compared")
    if pair:
        # Σ ÷ Σ over a unit's rows, whatever becomes of other columns.
        places = (_placed(measures, Measure(column, "sum", "metrics")) for column in pair)
        return Metric(name, "ratio", tuple(places))
    if quantile and 0 < float(quantile[2]) < 100:
        column = table.column(quantile[1], "metrics")
        place = _placed(measures, Measure(column, options.combine, "metrics"))
        return Metric(name, "quantile", (place,), float(quantile[2]) / 100)
    combine: Combine = options.combine
    return Metric(
        name, "value", (_placed(measures, Measure(table.column(name, "metrics"), combine, "metrics")),)
    )


def _pair(table: Table, name: str) -> tuple[TableColumn, TableColumn] | None:
    """The two columns of `a/b`; their own names may hold a stroke."""
    for at, sign in enumerate(name):
        if sign == "/" and table.has(name[:at].strip()) and table.has(name[at + 1 :].strip()):
            return table.column(name[:at], "metrics"), table.column(name[at + 1 :], "metrics")
    return None


def _placed(measures: list[Measure], measure: Measure) -> int:
    """Its position, added to the list if it is not there."""
    if measure not in measures:
        measures.append(measure)
    return measures.index(measure)


def _refuse(option: str, detail: str) -> None:
    raise Unprocessable(f"{detail}.", errors=[FieldError(f"/{option}", detail)])
