"""An analysis for people at a terminal: what it says in words, then the figures."""

import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.contracts.evaluation.analyse import Analysis, DimensionAnalysis, MetricAnalysis

NOTHING = "–"
_ABSURD = 100
"""A hundredfold of the control says more about the control."""


def show(answer: Analysis) -> None:
    """The sample ratio comes first when it alarms: nothing below it counts then."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)
    level = f"{100 * (1 - answer.alpha):g}"
    if answer.srm.alarm:
        console.print(f"[bold red]{escape(_ratio(answer))}[/]\n")
    for name in dict.fromkeys(row.metric for row in answer.metrics):
        rows = [row for row in answer.metrics if row.metric == name]
        console.print(_metric(name, rows, level))
        for row in rows:
            for line in sentences(row, answer.alpha):
                console.print(f"  {escape(line)}")
        console.print()
    for found in answer.dimensions:
        console.print(_dimension(found, level))
        console.print(f"  {escape(_told(found, answer.alpha))}\n")
    if not answer.srm.alarm:
        console.print(escape(_ratio(answer)))
    for warning in answer.warnings:
        console.print(f"[yellow]![/] {escape(warning)}")


def sentences(row: MetricAnalysis, alpha: float) -> list[str]:
    """One comparison in words: as it stands, with covariates, and if it was looked at more than once."""
    if row.p_value is None or row.difference is None or row.ci is None:
        return [f"Arm {row.arm} cannot be told from control {row.control}; the warnings say why."]
    by = figure(abs(row.difference))
    if row.relative is not None and abs(row.relative) < _ABSURD:
        by += f" ({row.relative:+.1%})"
    # The interval decides: a share's is not the test's own.
    if row.ci[0] > 0 or row.ci[1] < 0:
        where = "above" if row.difference > 0 else "below"
        told = f"Arm {row.arm} is {where} control {row.control} by {by}: chance alone hardly explains it."
    else:
        told = f"Arm {row.arm} and control {row.control} differ by {by}: chance may explain it."
    lines = [told]
    cuped = row.cuped
    if cuped is not None and cuped.applied and cuped.ci is not None:
        lines.append(
            f"With covariates {figure(cuped.difference)} {_interval(cuped.ci)}, p = {_p(cuped.p_value)}:"
            f" they explain {cuped.variance_reduction:.0%} of the variance."
        )
    if row.cluster is not None:
        lines.append(
            f"Of {row.cluster.clusters:,} against {row.cluster.clusters_control:,} clusters, intra-cluster"
            f" correlation {figure(row.cluster.icc)}, design effect {figure(row.cluster.design_effect)}."
        )
        means = row.cluster.means
        if means is not None and means.ci is not None:
            lines.append(
                f"Every cluster counting once: {figure(means.difference)} {_interval(means.ci)},"
                f" p = {_p(means.p_value)}."
            )
    valid = row.always_valid
    if valid is not None:
        lines.append(f"Looked at whenever one likes: {_interval(valid.ci)}, p = {_p(valid.p_value)}.")
    if row.adjusted_p_value is not None and row.p_value < alpha <= row.adjusted_p_value:
        lines.append(f"Among all comparisons here it is nothing special: p = {_p(row.adjusted_p_value)}.")
    return lines


def figure(number: float | None) -> str:
    """Five digits, large numbers in full."""
    if number is None:
        return NOTHING
    return f"{number:,.2f}" if 1000 <= abs(number) < 1e12 else f"{number:.5g}"


def _metric(name: str, rows: list[MetricAnalysis], level: str) -> Table:
    table = _table(
        f"{name} ({rows[0].kind}, {rows[0].method})",
        ("arm", "n", "mean", "difference", f"{level} % interval", "p", "relative"),
    )
    first = rows[0]
    table.add_row(escape(first.control), f"{first.n_control:,}", figure(first.mean_control))
    for row in rows:
        table.add_row(
            escape(row.arm),
            f"{row.n:,}",
            figure(row.mean),
            figure(row.difference),
            escape(_interval(row.ci)),
            _p(row.p_value),
            NOTHING if row.relative is None else f"{row.relative:+.2%}",
        )
    return table


def _table(title: str, columns: tuple[str, ...]) -> Table:
    """The first column names, the others count."""
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left", no_wrap=at > 0)
    return table


def _dimension(found: DimensionAnalysis, level: str) -> Table:
    table = _table(
        f"{found.metric}, arm {found.arm}, by {found.dimension}",
        ("value", "n", "n control", "raw", "shrunk", f"{level} % interval"),
    )
    for cell in found.cells:
        table.add_row(
            escape(cell.value),
            f"{cell.n:,}",
            f"{cell.n_control:,}",
            figure(cell.raw),
            figure(cell.shrunk),
            escape(_interval(cell.ci)),
        )
    return table


def _told(found: DimensionAnalysis, alpha: float) -> str:
    if found.q is None or found.q_value is None:
        return "Whether cells differ cannot be told; the warnings say why."
    test = f"Q = {found.q:.2f} on {found.df} degrees of freedom, p = {_p(found.p_value)}"
    differ = "Cells differ" if found.q_value < alpha else "Nothing says that cells differ"
    return f"{differ}: {test}, q = {_p(found.q_value)}."


def _ratio(answer: Analysis) -> str:
    srm = answer.srm
    counts = ", ".join(
        f"{arm} {count:,}"
        + (f" of {srm.expected[arm]:,.0f} expected" if arm in srm.expected else " undeclared")
        for arm, count in srm.observed.items()
    )
    word = "MISMATCH – believe nothing below before it is explained" if srm.alarm else "as declared"
    return f"Sample ratio ({srm.counted}): {word}. χ² = {srm.chi2:.2f}, p = {_p(srm.p_value)}: {counts}"


def _interval(ends: tuple[float, float] | None) -> str:
    return NOTHING if ends is None else f"[{figure(ends[0])}, {figure(ends[1])}]"


def _p(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:.4f}" if value >= 0.0001 else f"{value:.1e}"
