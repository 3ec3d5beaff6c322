"""Branches by their service-quality index: interval, rank, what moved it, and how it went."""

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, Quantity, whole
from services.console.pages.words import Names
from services.console.view import View
from services.console.widgets.charts import Effect, chart, intervals
from services.console.widgets.html import Cell, html, table, tag, two_lines
from services.console.widgets.quality_charts import sparkline
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.contracts.evaluation.service_quality import BranchQuality, Driver, QualityIndex, QualityModel

_DRAWN = 40
_DRIVERS = 3
_TONES = {"above": "good", "below": "bad", "as_bank": ""}


def draw_branches(view: View, model: QualityModel, index: QualityIndex, names: Names) -> None:
    t = view.t
    bank = next((one for one in index.bank if one.period == index.period), None)
    with ui.element("div").classes("grid cols-4"):
        if bank:
            kpi(t("service_quality.bank"), f"{bank.index:.1f}", f"[{bank.ci[0]:.1f}, {bank.ci[1]:.1f}]")
        kpi(t("service_quality.branches"), whole(len(index.branches)), index.period)
        if index.comparable:
            for standing in ("above", "below"):
                count = sum(one.standing == standing for one in index.branches)
                kpi(t(f"quality_standing.{standing}"), whole(count), t("service_quality.by_interval"))
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("service_quality.index", period=index.period), t("service_quality.index.note")
            )
        )
        if not index.branches:
            empty_state(t("service_quality.no_branch"), t("service_quality.no_branch.do"))
        else:
            if index.comparable:
                _chart(view, index, names)
            _table(view, model, index, names)
        for one in index.left_out:
            html(
                Markup('<p class="muted small">{} · {}</p>').format(
                    names.value("branch", one.branch), one.detail
                )
            )


def _chart(view: View, index: QualityIndex, names: Names) -> None:
    """Points above and below 100, the bank's average over the run."""
    t = view.t
    effects = [
        Effect(names.value("branch", one.branch), one.index - 100, one.ci[0] - 100, one.ci[1] - 100)
        for one in index.branches[:_DRAWN]
    ]
    label = t("service_quality.chart")
    chart(intervals(effects, Quantity(t.language)), height=60 + 24 * len(effects), label=label)


def _table(view: View, model: QualityModel, index: QualityIndex, names: Names) -> None:
    t = view.t
    columns = ("rank", "branch", "value", "standing", "drivers", "trend", "rows")
    rows = [_row(view, model, index, one, names.value("branch", one.branch)) for one in index.branches]
    html(table([t(f"service_quality.{name}") for name in columns], rows, right=(6,)))


def _row(view: View, model: QualityModel, index: QualityIndex, one: BranchQuality, branch: str) -> list[Cell]:
    t = view.t
    rank: Cell = NOTHING
    if one.rank is not None and one.rank_ci:
        rank = two_lines(f"{one.rank} / {index.ranked}", f"[{one.rank_ci[0]}–{one.rank_ci[1]}]")
    return [
        rank,
        branch,
        two_lines(f"{one.index:.1f}", f"[{one.ci[0]:.1f}, {one.ci[1]:.1f}]"),
        tag(t(f"quality_standing.{one.standing}"), _TONES[one.standing]) if one.standing else NOTHING,
        t("comma").join(_driver(view, model, driver) for driver in one.drivers[:_DRIVERS]),
        sparkline([point.index for point in one.trend], f"{branch} {t('service_quality.trend')}"),
        whole(one.rows),
    ]


def _driver(view: View, model: QualityModel, one: Driver) -> str:
    t = view.t
    names = {each.key: t.local(each.name) for each in model.businesses}
    points = f"{one.contribution:+.1f}".replace("-", "−")
    return f"{names.get(one.business, one.business)} · {t.word('quality_dimension', one.dimension)} {points}"
