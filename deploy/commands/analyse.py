"""`huanying analyse`: the arms of a table compared, with nothing but the file."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.errors import ProblemError, Unprocessable

if TYPE_CHECKING:
    from shared.contracts.evaluation.analyse import Analysis

File = Annotated[Path, typer.Argument(help="CSV (also gzip, GB 18030), Parquet, Arrow IPC", metavar="FILE")]
Columns = list[str] | None
Arm = Annotated[str, typer.Option(help="Column that says which group a row is in")]
Control = Annotated[str, typer.Option(help="Value of that column for the group compared against")]
Metrics = Annotated[
    list[str],
    typer.Option(help="Column of an outcome; NUM/DEN for a ratio of two, COL:p90 for a quantile; repeatable"),
]
Unit = Annotated[
    str | None, typer.Option(help="Column that identifies what was randomised; its rows become one value")
]
Cluster = Annotated[str | None, typer.Option(help="Column of what was randomised together, e.g. the branch")]
Covariates = Annotated[
    Columns, typer.Option(help="Column of numbers known before the test began; repeatable")
]
Dimensions = Annotated[Columns, typer.Option(help="Column whose values may respond differently; repeatable")]
Split = Annotated[Columns, typer.Option(help="ARM=WEIGHT that was declared, repeatable; equal if left out")]
Alpha = Annotated[float, typer.Option(help="1 − level of the intervals")]
TunedFor = Annotated[
    int, typer.Option(help="Units at which the always-valid interval is narrowest; choose before looking")
]
Winsorise = Annotated[float | None, typer.Option(help="Cap means at this quantile and its mirror, e.g. 0.99")]
Combine = Annotated[str, typer.Option(help="How rows of one unit become one value: mean, sum or max")]
Format = Annotated[
    str | None, typer.Option("--format", help="csv, parquet or arrow; found out by the content if left out")
]
Memory = Annotated[str, typer.Option(help="Most memory the table may take, e.g. 4GB")]
AsJson = Annotated[bool, typer.Option("--json", help="The whole answer as JSON")]


def analyse(
    file: File,
    arm: Arm,
    control: Control,
    metric: Metrics,
    unit: Unit = None,
    cluster: Cluster = None,
    covariate: Covariates = None,
    dimension: Dimensions = None,
    split: Split = None,
    alpha: Alpha = 0.05,
    tuned_for: TunedFor = 5000,
    winsorise: Winsorise = None,
    combine: Combine = "mean",
    form: Format = None,
    memory: Memory = "1GB",
    json: AsJson = False,  # noqa: FBT002  an option has its default here
) -> None:
    """Compare the arms of a table: differences with intervals, sample ratio, where they differ.

    Works on the file alone: nothing has to run, nothing is kept. A column of 0 and 1 (or true and false) is a
    share, any other a mean. Rows without an arm and units in two arms are left out; a missing value leaves
    its row out of that metric, a missing covariate takes the mean: all of it is counted in the warnings. More
    in docs/analyse.md.

    Exit codes: 0 answered; 2 the file cannot be read, or its columns are not as said.
    """
    given: dict[str, Any] = {
        "arm": arm,
        "control": control,
        "metrics": metric,
        "unit": unit,
        "cluster": cluster,
        "covariates": covariate or [],
        "dimensions": dimension or [],
        "alpha": alpha,
        "tuned_for": tuned_for,
        "winsorise": winsorise,
        "combine": combine,
        "format": form,
    }
    answer = _answer(file, given, split or [], memory)
    if json:
        print(answer.model_dump_json(indent=2))
        return
    from deploy.commands.analysis_shown import show

    show(answer)


def _answer(file: Path, given: dict[str, Any], split: list[str], memory: str) -> "Analysis":
    try:
        if split:
            given["split"] = dict(_weight(text) for text in split)
        return _analysed(file, given, memory)
    except ProblemError as problem:
        print(f"huanying: {problem}", file=sys.stderr)
        raise typer.Exit(2) from problem


def _analysed(file: Path, given: dict[str, Any], memory: str) -> "Analysis":
    # Here: DuckDB, Arrow and SciPy take a second that other commands need not wait.
    from pydantic import ValidationError

    from services.evaluation.queries.analysis import analyse as analyse_file
    from services.evaluation.store.tables import Bounds
    from shared.contracts.evaluation.analyse import AnalyseOptions

    try:
        options = AnalyseOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "".join(f" --{part}" for part in first["loc"][:1]).replace("_", "-").rstrip("s")
        raise Unprocessable(f"{name.strip() or 'options'}: {first['msg']}") from error
    if not re.fullmatch(r"\d{1,6}(MB|GB)", memory):
        raise Unprocessable(f"--memory {memory}: say it as 800MB or 4GB")
    return analyse_file(file, options, Bounds(memory=memory, threads=os.cpu_count() or 2))


def _weight(text: str) -> tuple[str, float]:
    """`call=0.5`; the arm itself may hold an equals sign."""
    arm, sign, weight = text.rpartition("=")
    try:
        if sign:
            return arm, float(weight)
    except ValueError:
        pass
    raise Unprocessable(f"--split {text}: say it as ARM=WEIGHT, for example call=0.5")
