"""Opportunities 商机: the funnel, and a board with a column a stage on which they are moved."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from markupsafe import Markup
from nicegui import ui

from services.console.formats import day, money, percent, whole
from services.console.frame import heading
from services.console.pages.opportunity_forms import Mover, open_opportunity
from services.console.pages.opportunity_stages import write_stages
from services.console.view import View, page
from services.console.widgets.html import html, link, table, tag
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign.opportunities import Funnel, FunnelView, OpportunityView, StageList

_SHOWN = 500
_COLUMNS = "display: grid; grid-auto-flow: column; grid-auto-columns: minmax(230px, 1fr); gap: 14px"
WORKERS = (Role.manager, Role.branch_head)
RAD_TONES = {"retain": "warn", "acquire": "accent", "develop": "good"}
RADS = ("retain", "acquire", "develop")
Reload = Callable[[], Awaitable[None]]


@dataclass
class Wanted:
    rad: str = ""
    manager: str = ""
    closed: bool = False

    def params(self) -> dict[str, str]:
        named = {"rad": self.rad, "manager": self.manager}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True)
class Board:
    stages: StageList
    funnel: FunnelView
    items: list[OpportunityView] = field(default_factory=list)
    more: bool = False


@page("/opportunities", title="opportunities.title", nav="opportunities")
async def opportunities_page(view: View, customer: str = "") -> None:
    t, wanted = view.t, Wanted()

    async def again() -> None:
        await reload()

    async def add() -> None:
        if await open_opportunity(view, customer) is not None:
            await again()

    with heading(t("opportunities.title"), t("opportunities.note")):
        if view.user.has(Role.strategist):
            stages = ui.button(t("opportunities.stages"), on_click=lambda: write_stages(view, again))
            view.bank_wide(stages).props("outline no-caps")
        if view.user.has(*WORKERS):
            ui.button(t("opportunities.open"), on_click=add).props("unelevated no-caps")
    _filters(view, wanted, again)
    reload = view.section(lambda: _fetch(view, wanted), lambda board: _draw(view, board, again), height=420)


def _filters(view: View, wanted: Wanted, again: Reload) -> None:
    t = view.t

    async def choose(rad: str) -> None:
        wanted.rad = rad
        await again()

    async def name(manager: str) -> None:
        wanted.manager = manager.strip()
        await again()

    async def show(*, closed: bool) -> None:
        wanted.closed = closed
        await again()

    with ui.element("div").classes("filters"):
        states = {"": t("opportunities.all"), **{each: t.word("rad", each) for each in RADS}}
        rad = ui.select(states, value="", label=t("opportunities.rad"))
        rad.on_value_change(lambda event: choose(str(event.value or ""))).props("outlined dense")
        rad.style("min-width: 160px")
        if view.user.has(Role.branch_head, Role.strategist, Role.auditor):
            manager = ui.input(t("opportunities.manager")).props("outlined dense debounce=400")
            manager.on_value_change(lambda event: name(str(event.value or "")))
        closed = ui.checkbox(t("opportunities.closed"))
        closed.on_value_change(lambda event: show(closed=bool(event.value)))


async def _fetch(view: View, wanted: Wanted) -> Board:
    api, params = view.api, wanted.params()
    statuses = ["open", "won", "lost"] if wanted.closed else ["open"]
    stages, funnel, found = await asyncio.gather(
        api.get("campaign", "/v1/opportunity-stages/current", StageList),
        api.get("campaign", "/v1/opportunities/funnel", FunnelView, params),
        api.get(
            "campaign",
            "/v1/opportunities",
            Page[OpportunityView],
            {"limit": _SHOWN, "status": statuses, **params},
        ),
    )
    return Board(stages, funnel, found.items, found.next_cursor is not None)


def _draw(view: View, board: Board, again: Reload) -> None:
    t = view.t
    if board.funnel.groups:
        _draw_funnel(view, board, board.funnel.groups[0])
    if not board.items:
        with ui.element("section").classes("panel"):
            empty_state(t("opportunities.empty"), t("opportunities.empty.do"))
        return
    if board.more:
        html(Markup('<p class="muted">{}</p>').format(t("opportunities.more", n=whole(_SHOWN))))
    mover = Mover(view, board.stages.stages, again)
    columns = [(stage.key, t.local(stage.name)) for stage in board.stages.stages]
    columns += [(key, t.word("opportunity", key)) for key in ("won", "lost")]
    with ui.element("div").classes("scroll").style(_COLUMNS):
        for key, name in columns:
            here = [each for each in board.items if _column(each) == key]
            if key in {"won", "lost"} and not here:
                continue
            _draw_column(view, name, here, mover)


def _column(one: OpportunityView) -> str:
    return one.stage if one.status == "open" else one.status


def _draw_funnel(view: View, board: Board, funnel: Funnel) -> None:
    t, currency = view.t, board.funnel.currency
    names = {stage.key: t.local(stage.name) for stage in board.stages.stages}
    with ui.element("div").classes("grid cols-4").style("margin-bottom: 18px"):
        kpi(t("opportunities.amount"), money(funnel.amount, currency, t.language), whole(funnel.open))
        weighted = money(funnel.weighted, currency, t.language)
        kpi(t("opportunities.weighted"), weighted, t("opportunities.weighted.note"), accent=True)
        won = t("opportunities.won", won=whole(funnel.won), lost=whole(funnel.lost))
        kpi(t("opportunities.win_rate"), percent(funnel.win_rate), won)
        kpi(
            t("opportunities.won_amount"),
            money(funnel.won_amount, currency, t.language),
            t("opportunities.days_to_win", days=_days(funnel.median_days_to_win)),
        )
    columns = ("stage", "open", "amount", "weighted", "reached", "conversion", "days")
    with ui.element("section").classes("panel").style("margin-bottom: 18px"):
        html(Markup("<h2>{}</h2>").format(t("opportunities.funnel")))
        html(
            table(
                [t(f"opportunities.column.{name}") for name in columns],
                [
                    (
                        names.get(each.key, each.key),
                        whole(each.open),
                        money(each.amount, currency, t.language),
                        money(each.weighted, currency, t.language),
                        whole(each.reached),
                        percent(each.conversion),
                        _days(each.median_days),
                    )
                    for each in funnel.stages
                ],
                right=range(1, 7),
            )
        )
        html(Markup('<p class="muted small">{}</p>').format(t("opportunities.funnel.note")))


def _days(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _draw_column(view: View, name: str, items: list[OpportunityView], mover: Mover) -> None:
    with ui.element("section").classes("panel") as column:
        column.props["aria-label"] = name
        html(Markup('<div class="panel-head"><h2>{}</h2>{}</div>').format(name, tag(whole(len(items)))))
        with ui.element("div").classes("stack"):
            for one in items:
                _draw_card(view, one, mover)


def _draw_card(view: View, one: OpportunityView, mover: Mover) -> None:
    t = view.t
    amount = money(one.amount if one.won_amount is None else one.won_amount, one.currency, t.language)
    lines = Markup("<b>{}</b><div>{} · {}</div>").format(
        one.name or "–", amount, link(str(one.customer_id)[-12:], f"/customers/{one.customer_id}")
    )
    lines += Markup('<div class="muted small">{} · {} {}</div>').format(
        one.manager, t("opportunities.expected"), day(one.expected_close)
    )
    if one.next_action:
        lines += Markup('<div class="small">{} {}</div>').format(day(one.next_action_on), one.next_action)
    if one.lost_reason:
        lines += Markup('<div class="small">{}</div>').format(t.word("loss", one.lost_reason))
    tags = tag(t.word("rad", one.rad), RAD_TONES[one.rad])
    if one.overdue:
        tags += " " + tag(t("opportunities.overdue"), "bad")
    with ui.element("div").classes("rule-leaf").props(f'data-opportunity="{one.id}"'):
        html(lines + tags).style("flex: 1")
        if view.user.has(*WORKERS):
            mover.menu(one)
