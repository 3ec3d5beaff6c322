"""Whether a difference is the same everywhere: cells of each dimension, tested together and shrunk."""

from collections.abc import Iterator

from services.evaluation.domain.analysis import Comparison
from services.evaluation.domain.breakdown import SMALLEST_CELL
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.heterogeneity import Heterogeneity, heterogeneity
from services.evaluation.domain.multiplicity import benjamini_hochberg
from services.evaluation.queries.analysis_answer import ends, figure
from services.evaluation.queries.analysis_plan import Metric
from services.evaluation.queries.analysis_remarks import Remarks
from services.evaluation.queries.analysis_survey import Samples, Survey
from shared.contracts.evaluation.analyse import CellAnalysis, DimensionAnalysis

MOST_LEVELS = 200


def look_through(survey: Survey, remarks: Remarks) -> list[DimensionAnalysis]:
    """Every dimension in every metric and arm; q-values over all of them."""
    found = [
        one for at in range(len(survey.plan.layout.dimensions)) for one in _dimension(survey, at, remarks)
    ]
    q_values = iter(benjamini_hochberg([one.p_value for one in found if one.p_value is not None]))
    return [
        one if one.p_value is None else one.model_copy(update={"q_value": next(q_values)}) for one in found
    ]


def _dimension(survey: Survey, at: int, remarks: Remarks) -> Iterator[DimensionAnalysis]:
    name = survey.plan.layout.dimensions[at].name
    levels, missing = survey.observations.levels(at, MOST_LEVELS + 1)
    remarks.levels(name, levels, MOST_LEVELS, missing)
    if levels > MOST_LEVELS:
        return
    samples = survey.samples(f"d{at}")
    values = samples.values(1)
    for metric in survey.plan.metrics:
        if metric.kind == "quantile":
            remarks.no_quantiles(name, metric.name)
            continue
        for arm in survey.treated:
            cells = {value: _cell(survey, samples, metric, arm, value) for value in values}
            yield _told(name, metric, arm, cells, survey, remarks)


def _cell(survey: Survey, samples: Samples, metric: Metric, arm: str, value: str) -> Comparison:
    return survey.compare(metric, samples.of(metric, arm, value), samples.of(metric, survey.control, value))


def _told(
    dimension: str, metric: Metric, arm: str, cells: dict[str, Comparison], survey: Survey, remarks: Remarks
) -> DimensionAnalysis:
    effects = {
        value: found.effect
        for value, found in cells.items()
        if isinstance(found.effect, Effect)
        and found.tested
        and min(found.n, found.n_control) >= SMALLEST_CELL
    }
    remarks.cells(
        dimension, metric.name, arm, [value for value in cells if value not in effects], SMALLEST_CELL
    )
    together = heterogeneity(
        [effect.difference for effect in effects.values()],
        [effect.standard_error for effect in effects.values()],
        survey.options.alpha,
    )
    if isinstance(together, NoEffect):
        remarks.no_cells(dimension, metric.name, arm, together)
    found = together if isinstance(together, Heterogeneity) else None
    shrunk = dict(zip(effects, found.cells, strict=True)) if found else {}
    return DimensionAnalysis(
        dimension=dimension,
        metric=metric.name,
        arm=arm,
        q=figure(found.q) if found else None,
        df=found.freedom if found else None,
        p_value=figure(found.p_value) if found else None,
        q_value=None,
        pooled=figure(found.pooled) if found else None,
        tau2=figure(found.tau2) if found else None,
        cells=[
            CellAnalysis(
                value=value,
                n=cell.n,
                n_control=cell.n_control,
                raw=figure(cell.difference),
                se=figure(cell.effect.standard_error)
                if isinstance(cell.effect, Effect) and cell.tested
                else None,
                shrunk=figure(shrunk[value].value) if value in shrunk else None,
                ci=ends(shrunk[value].interval) if value in shrunk else None,
            )
            for value, cell in cells.items()
        ],
    )
