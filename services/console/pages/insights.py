"""Insight board 洞察看板: what the team thinks about customers, by how far it has come."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.formats import day
from services.console.frame import heading
from services.console.pages.insight import CONTRIBUTORS, InsightDialog
from services.console.view import View, page
from services.console.widgets.fields import listed
from services.console.widgets.html import html, tag
from services.console.widgets.states import empty_state
from shared.contracts.base import Page
from shared.contracts.segmentation.insights import InsightState, InsightView

_COLUMNS = tuple(state for state in InsightState if state is not InsightState.archived)
Reload = Callable[[], Awaitable[None]]
Opened = Callable[[InsightView], None]


@page("/insights", title="insights.title", nav="insights")
async def insights_page(view: View) -> None:
    t = view.t

    async def fetch() -> Page[InsightView]:
        return await view.api.get("segmentation", "/v1/insights", Page[InsightView], {"limit": 500})

    async def again() -> None:
        await reload()

    with heading(t("insights.title"), t("insights.note")):
        if view.user.has(*CONTRIBUTORS):
            ui.button(t("insights.propose"), on_click=lambda: _propose(view, again)).props(
                "unelevated no-caps"
            )
    with ui.element("div").classes("filters"):
        archived = ui.checkbox(t("insights.archived"))
    place = ui.element("div")

    def opened(insight: InsightView) -> None:
        InsightDialog(view, place, insight.id, again).open()

    reload = view.section(
        fetch, lambda found: _board(view, found.items, opened, archived=bool(archived.value)), height=420
    )
    archived.on_value_change(again)


def _board(view: View, insights: list[InsightView], opened: Opened, *, archived: bool) -> None:
    t = view.t
    columns = (*_COLUMNS, InsightState.archived) if archived else _COLUMNS
    shown = [insight for insight in insights if insight.state in columns]
    if not shown:
        with ui.element("section").classes("panel"):
            empty_state(t("insights.empty"), t("insights.empty.do"))
        return
    with ui.element("div").classes("board"):
        for state in columns:
            _column(view, state, [insight for insight in shown if insight.state is state], opened)


def _column(view: View, state: InsightState, insights: list[InsightView], opened: Opened) -> None:
    with ui.element("section").classes("lane"):
        html(Markup("<h2>{} <small>{}</small></h2>").format(view.t(f"insights.state.{state}"), len(insights)))
        for insight in insights:
            _card(view, insight, opened)


def _card(view: View, insight: InsightView, opened: Opened) -> None:
    t = view.t
    button = ui.element("button").classes("pick").props('type="button"')
    button.on("click", lambda: opened(insight))
    with button:
        html(Markup("<b>{}</b>").format(insight.title))
        marks = Markup(" ").join(tag(each) for each in insight.tags)
        counted = t(
            "insights.counted",
            up=insight.votes.up,
            down=insight.votes.down,
            comments=insight.comments,
            tests=insight.tests,
        )
        said = Markup("{} · {} · {}").format(counted, insight.org, day(insight.created_at))
        html(Markup("{}<div class='muted small'>{}</div>").format(marks, said)).style("grid-column: 1 / 3")


async def _propose(view: View, reload: Reload) -> None:
    t = view.t
    with ui.dialog() as dialog, ui.card().classes("dialog").props(f'aria-label="{t("insights.propose")}"'):
        html(
            Markup("<h2>{}</h2><p class='muted'>{}</p>").format(
                t("insights.propose"), t("insights.propose.note")
            )
        )
        with ui.element("div").classes("stack").style("width: 100%"):
            title = ui.input(t("insights.field.title")).props("outlined dense autofocus maxlength=200")
            text = ui.textarea(t("insights.field.text")).props("outlined autogrow maxlength=4000")
            tags = ui.input(t("insights.field.tags")).props("outlined dense maxlength=400")
            group = ui.textarea(t("insights.field.group")).props("outlined autogrow spellcheck=false")
            group.classes("code")

        async def accept() -> None:
            body = {
                "title": title.value or "",
                "text": text.value or "",
                "tags": listed(tags.value),
                "group": {"sql": group.value} if group.value else None,
            }
            made = await view.attempt(view.api.post("segmentation", "/v1/insights", InsightView, body))
            if made is not None:
                dialog.submit(made)

        with ui.element("div").classes("actions").style("width: 100%"):
            ui.button(t("cancel"), on_click=lambda: dialog.submit(None)).props("flat no-caps")
            ui.button(t("insights.propose"), on_click=accept).props("unelevated no-caps")
    made = await dialog
    dialog.delete()
    if isinstance(made, InsightView):
        await reload()
