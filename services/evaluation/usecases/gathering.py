"""What an evaluation reads of a campaign's outcomes, within one consistent state of the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import duckdb

from services.evaluation.domain.breakdown import Cell, cells_of
from services.evaluation.domain.cells import CellTable
from services.evaluation.domain.samples import Quantiles
from services.evaluation.queries.cell_blocks import traits_of
from services.evaluation.store.cells import cell_tables, unit_values
from services.evaluation.store.contacts import exposures
from services.evaluation.store.outcomes import Question
from services.evaluation.store.quantities import Measure
from shared.contracts.evaluation import Dimension
from shared.contracts.events import Registration as Plan
from shared.contracts.metrics import MetricCreate, MetricKind


@dataclass(frozen=True)
class Lived:
    """One of a metric's windows: the share of exposures that have lived through it, and their outcomes."""

    days: int
    matured: float
    cells: Sequence[Cell]
    sample: Quantiles | None


class Reading:
    """Of one campaign, as its registration asks."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, question: Question, plan: Plan) -> None:
        self._cursor, self._question, self._plan = cursor, question, plan
        self._traits = traits_of(plan)
        asked = [name for name in plan.dimensions if name in get_args(Dimension)]
        drawn = [] if plan.unit == "customer" else [plan.unit]
        self._keys = tuple(dict.fromkeys(["arm", "segment", "branch", "channel", "script", *asked, *drawn]))

    def tables(self, measures: Sequence[Measure]) -> dict[str, CellTable]:
        """The finest cells of each metric that has cells, over the days of its measure."""
        added = [measure for measure in measures if measure.metric.kind is not MetricKind.QUANTILE]
        if not added:
            return {}
        tables = cell_tables(self._cursor, self._question, added)
        return {
            measure.metric.key: table.of_arms(self._traits)
            for measure, table in zip(added, tables, strict=True)
        }

    def cells(self, finest: CellTable | None) -> list[Cell]:
        """By arm, segment, branch, and what was registered; none of a metric that has no cells."""
        return cells_of(finest.by(*self._keys), self._plan.unit) if finest else []

    def sample(self, metric: MetricCreate, days: int | None = None) -> Quantiles:
        measure = Measure(metric, days or metric.window_days)
        values = unit_values(self._cursor, self._question, measure)
        return Quantiles(metric.quantile or 0.5, values, self._plan.unit)

    def windows(self, metric: MetricCreate) -> list[Lived]:
        """Every window of a metric that declares further ones, shortest first."""
        every = sorted({metric.window_days, *metric.windows}) if metric.windows else []
        return [self._lived(metric, days) for days in every]

    def _lived(self, metric: MetricCreate, days: int) -> Lived:
        exposed = exposures(self._cursor, self._question, days)
        matured = exposed.matured / exposed.total if exposed.total else 0.0
        if metric.kind is MetricKind.QUANTILE:
            return Lived(days, matured, [], self.sample(metric, days))
        finest = self.tables([Measure(metric, days)])[metric.key]
        return Lived(days, matured, self.cells(finest), None)
