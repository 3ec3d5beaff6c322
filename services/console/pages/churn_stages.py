"""Life-cycle stages: how many customers are in each, and how they moved since a date."""

import asyncio
from datetime import date, timedelta

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, percent, whole
from services.console.pages.stage_thresholds import show_thresholds
from services.console.view import View
from services.console.widgets.html import Cell, html, table
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared import clock
from shared.contracts.segmentation.life_cycle import LifeCycleSchemeView, StageCounts, StageTransitions

_AGES = (30, 90, 180)
Found = tuple[StageCounts, StageTransitions, LifeCycleSchemeView]


def build_stages(view: View) -> None:
    t = view.t
    with ui.element("div").classes("filters"):
        since = ui.select({age: t("churn.since", days=age) for age in _AGES}, value=90)
        since.props(f'outlined dense options-dense aria-label="{t("churn.since.label")}"')

    async def fetch() -> Found:
        start: date = clock.today() - timedelta(days=int(since.value or 90))
        return await asyncio.gather(
            view.api.get("segmentation", "/v1/life-cycle/stages", StageCounts),
            view.api.get(
                "segmentation", "/v1/life-cycle/transitions", StageTransitions, {"since": start.isoformat()}
            ),
            view.api.get("segmentation", "/v1/life-cycle/scheme", LifeCycleSchemeView),
        )

    def draw(found: Found) -> None:
        counts, moved, scheme = found
        _draw(view, counts, moved)
        show_thresholds(view, scheme, again)

    async def again() -> None:
        await reload()

    reload = view.section(fetch, draw, height=420)
    since.on_value_change(reload)


def _draw(view: View, counts: StageCounts, moved: StageTransitions) -> None:
    t = view.t
    if not counts.customers:
        with ui.element("section").classes("panel"):
            empty_state(t("churn.stages.empty"), t("churn.stages.empty.do"))
        return
    with ui.element("div").classes("grid cols-4"):
        for each in counts.stages:
            kpi(t.local(each.name), whole(each.customers), percent(each.share))
    with ui.element("section").classes("panel"):
        html(
            Markup("<h2>{}</h2><p class='muted small'>{}</p>").format(
                t("churn.transitions"), t("churn.transitions.note", since=moved.since, until=moved.until)
            )
        )
        html(_matrix(view, counts, moved))


def _matrix(view: View, counts: StageCounts, moved: StageTransitions) -> Markup:
    """From the rows to the columns; the diagonal stayed."""
    t = view.t
    names = {each.stage: t.local(each.name) for each in counts.stages}
    found = {(each.before, each.after): each.customers for each in moved.moves}
    stages = list(names)
    rows: list[list[Cell]] = [
        [
            t("churn.stage.new") if before is None else names[before],
            *(_cell(found.get((before, after)), stayed=before == after) for after in stages),
            _cell(found.get((before, None))),
        ]
        for before in (*stages, None)
    ]
    columns = [t("churn.stage.from"), *names.values(), t("churn.stage.gone")]
    return table(columns, rows, right=range(1, len(columns)))


def _cell(customers: int | None, *, stayed: bool = False) -> Cell:
    if customers is None:
        return Markup('<span class="muted">{}</span>').format(NOTHING)
    return Markup("<b>{}</b>").format(whole(customers)) if stayed else whole(customers)
