"""The answer about a table: the sample ratio first when it alarms, then each metric, dimensions, remarks."""

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, p_value, percent, whole
from services.console.view import View
from services.console.widgets.html import Cell, html, table, tag
from shared.contracts.evaluation.analyse import Analysis, DimensionAnalysis, MetricAnalysis

_COLUMNS = ("arm", "n", "mean", "difference", "ci", "p", "relative", "adjusted", "always")
_CELLS = ("value", "n", "n_control", "raw", "shrunk", "ci")


def draw_answer(view: View, answer: Analysis, name: str) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        with ui.element("div").classes("panel-head"):
            html(
                Markup("<h2>3 · {}</h2><p>{}</p>").format(
                    t("analysis.answer"),
                    t("analysis.rows", rows=whole(answer.rows), analysed=whole(answer.analysed)),
                )
            )
            ui.button(t("analysis.download"), on_click=lambda: _download(answer, name)).props(
                "outline no-caps"
            )
        html(_split(view, answer))
        if answer.remarks:
            lines = Markup().join(Markup("<li>{}</li>").format(t.local(each)) for each in answer.remarks)
            html(Markup("<h3>{}</h3><ul>{}</ul>").format(t("analysis.warnings"), lines))
    level = percent(1 - answer.alpha, 0)
    for metric in dict.fromkeys(row.metric for row in answer.metrics):
        with ui.element("section").classes("panel"):
            _metric(view, [row for row in answer.metrics if row.metric == metric], level)
    for found in answer.dimensions:
        with ui.element("section").classes("panel"):
            _dimension(view, found, level)


def _download(answer: Analysis, name: str) -> None:
    ui.download.content(
        answer.model_dump_json(indent=2).encode(),
        f"{name.rpartition('.')[0] or name}.json",
        "application/json",
    )


def _split(view: View, answer: Analysis) -> Markup:
    t, srm = view.t, answer.srm
    mark = tag(t("analysis.srm.alarm"), "bad") if srm.alarm else tag(t("analysis.srm.fine"), "good")
    arms = " · ".join(f"{arm} {whole(count)}" for arm, count in srm.observed.items())
    told = t("analysis.srm", counted=t.word("counted", srm.counted), p=p_value(srm.p_value), arms=arms)
    return Markup('<p data-srm="{}">{} {}</p>').format("alarm" if srm.alarm else "fine", mark, told)


def _metric(view: View, rows: list[MetricAnalysis], level: str) -> None:
    t, first = view.t, rows[0]
    html(
        Markup('<h2>{}</h2><p class="muted small">{} · {}</p>').format(
            first.metric, t.word("metric_kind", first.kind), first.method
        )
    )
    lines: list[list[Cell]] = [
        [first.control, whole(first.n_control), figure(first.mean_control), *[NOTHING] * 6],
        *([_cells(row) for row in rows]),
    ]
    heads = [t(f"analysis.{name}.head", level=level) for name in _COLUMNS]
    html(table(heads, lines, right=range(1, len(_COLUMNS))))


def _cells(row: MetricAnalysis) -> list[Cell]:
    cuped = row.cuped
    return [
        row.arm,
        whole(row.n),
        figure(row.mean),
        figure(row.difference),
        interval(row.ci),
        p_value(row.p_value),
        percent(row.relative, 2),
        f"{figure(cuped.difference)} {interval(cuped.ci)}" if cuped and cuped.applied else NOTHING,
        interval(row.always_valid.ci) if row.always_valid else NOTHING,
    ]


def _dimension(view: View, found: DimensionAnalysis, level: str) -> None:
    t = view.t
    html(Markup("<h2>{} · {} · {}</h2>").format(found.dimension, found.metric, found.arm))
    told = (
        t("analysis.q.none")
        if found.q is None
        else t(
            "analysis.q",
            q=f"{found.q:.2f}",
            df=found.df,
            p=p_value(found.p_value),
            q_value=p_value(found.q_value),
        )
    )
    html(Markup('<p class="muted small">{}</p>').format(told))
    lines: list[list[Cell]] = [
        [
            cell.value,
            whole(cell.n),
            whole(cell.n_control),
            figure(cell.raw),
            figure(cell.shrunk),
            interval(cell.ci),
        ]
        for cell in found.cells
    ]
    html(
        table(
            [t(f"analysis.cell.{name}", level=level) for name in _CELLS], lines, right=range(1, len(_CELLS))
        )
    )


def figure(number: float | None) -> str:
    """Five digits, large numbers in full: the unit is the table's own."""
    if number is None:
        return NOTHING
    text = f"{number:,.2f}" if 1000 <= abs(number) < 1e12 else f"{number:.5g}"
    return text.replace("-", "−")


def interval(ends: tuple[float, float] | None) -> str:
    return NOTHING if ends is None else f"{figure(ends[0])} ~ {figure(ends[1])}"
