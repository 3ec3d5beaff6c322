"""A file analysed: its arms compared in every metric, its split checked, its dimensions looked through.

Nothing is kept and nothing has to run: the shell and the API both call `analyse`.
"""

from collections.abc import Mapping
from pathlib import Path

from services.evaluation.domain.analysis import dominance, labelled, unequal_missing
from services.evaluation.domain.multiplicity import holm
from services.evaluation.domain.srm import check_split
from services.evaluation.queries.analysis_answer import Counted, metric_analysis, split_analysis
from services.evaluation.queries.analysis_cells import look_through
from services.evaluation.queries.analysis_plan import plan_of
from services.evaluation.queries.analysis_remarks import Remarks
from services.evaluation.queries.analysis_survey import Survey
from services.evaluation.store.observations import Observations
from services.evaluation.store.tables import Bounds, open_table
from shared.contracts.evaluation.analyse import (
    AnalyseOptions,
    Analysis,
    MetricAnalysis,
    SplitAnalysis,
    Winsorised,
)
from shared.errors import FieldError, Unprocessable

MOST_ARMS = 50
_LISTED = 20
_SHOWN = 60
_ENOUGH = 20
"""Units below which one of them carries much of the variance by nature."""


def analyse(file: Path, options: AnalyseOptions, bounds: Bounds | None = None) -> Analysis:
    """The answer for the table in `file`.

    422 when the file cannot be read, a column is missing or no number, or there are no two arms to compare;
    413 past `bounds`.
    """
    with open_table(file, options.format, bounds or Bounds()) as table:
        plan = plan_of(table, options)
        observations, remarks = Observations(table, plan.layout), Remarks(options)
        remarks.encoding(table.encoding)
        remarks.intake(observations.intake, plan.layout.measures)
        arms = observations.arms(MOST_ARMS + 1)
        control = _control(options, arms, observations.intake.rows)
        survey = Survey(observations, plan, options, arms, control, observations.profiles())
        srm = _split(survey, remarks)
        remarks.arms(arms)
        metrics = _metrics(survey, remarks)
        dimensions = look_through(survey, remarks)
        told = remarks.told()
        return Analysis(
            metrics=metrics,
            srm=srm,
            dimensions=dimensions,
            warnings=[remark.en for remark in told],
            remarks=told,
            alpha=options.alpha,
            rows=observations.intake.rows,
            analysed=sum(arms.values()),
            control=control,
            arms=arms,
        )


def _control(options: AnalyseOptions, arms: Mapping[str, int], rows: int) -> str:
    """The control's label as the file has it."""
    if not arms:
        why = "has a header and no rows" if rows == 0 else f"has no row that can be used: see {options.arm!r}"
        raise Unprocessable(f"The file {why}.", slug="no-arms", errors=[FieldError("/arm", why)])
    listed = ", ".join(f"{arm[:_SHOWN]!r} ({count:,})" for arm, count in list(arms.items())[:_LISTED])
    if len(arms) > MOST_ARMS:
        detail = (
            f"The column {options.arm!r} has more than {MOST_ARMS} different values ({listed} …): that many"
            " arms are not compared. Is it the right column?"
        )
        raise Unprocessable(detail, slug="too-many-arms", errors=[FieldError("/arm", detail)])
    found = labelled(options.control, arms)
    if len(found) != 1:
        what = "is not among the arms" if not found else "can be more than one of the arms"
        detail = f"The control {options.control!r} {what} in column {options.arm!r}: {listed}."
        raise Unprocessable(detail, slug="no-such-arm", errors=[FieldError("/control", detail)])
    if len(arms) == 1:
        detail = f"All rows that can be used are in one arm, {listed}: there is nothing to compare it with."
        raise Unprocessable(detail, slug="one-arm", errors=[FieldError("/arm", detail)])
    return found[0]


def _split(survey: Survey, remarks: Remarks) -> SplitAnalysis:
    """Against the declared split; of clusters where they were drawn, of rows or units otherwise."""
    options = survey.options
    counted: Counted = "units" if options.unit else "rows"
    observed = survey.arms
    if options.cluster:
        by_arm, split_up = survey.observations.clusters()
        remarks.clusters(split_up)
        if not split_up:
            counted, observed = "clusters", by_arm
    declared = dict.fromkeys(survey.arms, 1.0)
    if options.split is not None:
        declared = {}
        for arm, weight in options.split.items():
            found = labelled(arm, survey.arms)
            declared[found[0] if len(found) == 1 else arm] = weight
    split = check_split(observed, declared)
    remarks.split(split, counted)
    return split_analysis(split, counted, observed)


def _metrics(survey: Survey, remarks: Remarks) -> list[MetricAnalysis]:
    """One row for each metric and arm, p-values corrected for their number besides."""
    winsorised = _cap(survey, remarks)
    _covariates(survey, remarks)
    rows = []
    samples = survey.samples()
    for metric in survey.plan.metrics:
        present = survey.observations.present(metric.measures)
        absent = {arm: count - present.get(arm, 0) for arm, count in survey.arms.items()}
        remarks.missing(metric.name, absent, unequal_missing(present, survey.arms), covariate=False)
        if metric.kind == "value" and not survey.binary(metric):
            for arm in survey.arms:
                sample = samples.of(metric, arm)
                if sample.n.sum() >= _ENOUGH:
                    remarks.dominated(metric.name, arm, dominance(sample))
        for arm in survey.treated:
            if metric.kind == "quantile":
                found = survey.compare_quantiles(metric, arm)
            else:
                found = survey.compare(metric, samples.of(metric, arm), samples.of(metric, survey.control))
            remarks.comparison(metric.name, arm, found)
            capped = winsorised.get(metric.measures[0]) if metric.kind == "value" else None
            rows.append(metric_analysis(survey, metric, arm, found, present=present, winsorised=capped))
    return _corrected(rows)


def _corrected(rows: list[MetricAnalysis]) -> list[MetricAnalysis]:
    tested = [row.p_value for row in rows if row.p_value is not None]
    if len(tested) < 2:
        return rows
    adjusted = iter(holm(tested))
    return [
        row if row.p_value is None else row.model_copy(update={"adjusted_p_value": next(adjusted)})
        for row in rows
    ]


def _cap(survey: Survey, remarks: Remarks) -> dict[int, Winsorised]:
    """Of means only: a cap would make something else of 0 and 1, of a ratio or a quantile."""
    share, capped = survey.options.winsorise, {}
    if share is None:
        return {}
    for metric in survey.plan.metrics:
        at = metric.measures[0]
        if metric.kind != "value" or survey.binary(metric) or not survey.profiles[at].present:
            remarks.uncapped(metric.name)
            continue
        low, high, values = survey.observations.cap(at, share)
        capped[at] = Winsorised(low=low, high=high, values=values)
    return capped


def _covariates(survey: Survey, remarks: Remarks) -> None:
    for at in survey.plan.covariates:
        name = survey.plan.layout.measures[at].column.name
        present = survey.observations.present([at])
        absent = {arm: count - present.get(arm, 0) for arm, count in survey.arms.items()}
        remarks.missing(name, absent, unequal_missing(present, survey.arms), covariate=True)
        if survey.profiles[at].constant:
            remarks.useless(name)
