"""One strategy: its studio, where it stands, its campaigns and its versions."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, day, exact_money, moment, whole
from services.console.frame import heading
from services.console.pages.strategies import strategy_tag
from services.console.pages.strategy_campaign import draft_campaign
from services.console.pages.strategy_choices import Choices, choices
from services.console.pages.strategy_steps import draw_steps
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, bar, facts, html, link, table, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign.strategies import (
    StrategyCampaign,
    StrategyProgress,
    StrategyVerb,
    StrategyVersionView,
    StrategyView,
)

Reload = Callable[[], Awaitable[None]]
_MOST = 100
_COLUMNS = ("campaign", "state", "schedule", "budget", "spent", "assigned", "done", "accepted")
_VERSION_COLUMNS = ("version", "written", "name", "budget")


@dataclass(frozen=True)
class _Found:
    strategy: StrategyView
    progress: StrategyProgress
    campaigns: Page[StrategyCampaign]
    versions: Page[StrategyVersionView]
    known: Choices


@page("/strategies/{key}", title="strategy.title", nav="strategies")
async def strategy_page(view: View, key: str) -> None:
    async def again() -> None:
        await load()

    load = view.section(lambda: _fetch(view, key), lambda found: _draw(view, found, again), height=560)


async def _fetch(view: View, key: str) -> _Found:
    path, get = f"/v1/strategies/{segment(key)}", view.api.get
    strategy = await get("campaign", path, StrategyView)
    return _Found(
        strategy,
        *await asyncio.gather(
            get("campaign", f"{path}/progress", StrategyProgress),
            get("campaign", f"{path}/campaigns", Page[StrategyCampaign], {"limit": _MOST}),
            get("campaign", f"{path}/versions", Page[StrategyVersionView], {"limit": _MOST}),
            choices(view),
        ),
    )


def _draw(view: View, found: _Found, again: Reload) -> None:
    t, strategy = view.t, found.strategy
    with heading(t.local(strategy.name), crumb=link(t("strategies.title"), "/strategies")):
        if view.user.has(Role.strategist):
            _actions(view, found, again)
    said = [f"{strategy.key}@{strategy.version}", strategy.org]
    said.append(t("strategy.changed", time=moment(strategy.changed_at), by=_person(strategy.changed_by)))
    if strategy.closed_because:
        said.append(strategy.closed_because)
    html(
        Markup('{} <span class="muted" style="margin-left:10px">{}</span>').format(
            strategy_tag(t, strategy.state), " · ".join(said)
        )
    )
    draw_steps(view, strategy, found.known, again)
    _draw_campaigns(view, found)
    _draw_versions(view, found.versions.items)


def _actions(view: View, found: _Found, again: Reload) -> None:
    t, strategy = view.t, found.strategy

    async def draft() -> None:
        made = await draft_campaign(view, strategy, found.known)
        if made is not None:
            ui.navigate.to(f"/campaigns/{segment(made.id)}")

    def verb(name: StrategyVerb, *, reason: bool) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            written = await confirm(
                t,
                title=t(f"strategy.{name}"),
                text=t(f"strategy.{name}.confirm"),
                field=t("action.reason") if reason else None,
                required=reason,
            )
            if written is None:
                return
            path = f"/v1/strategies/{segment(strategy.key)}:{name}"
            body = {"reason": written} if reason else None
            if await view.attempt(view.api.post("campaign", path, StrategyView, body)) is not None:
                await again()

        return act

    if "close" in strategy.verbs:
        ui.button(t("strategy.close"), on_click=verb("close", reason=True)).props("outline no-caps")
    if strategy.state == "active":
        ui.button(t("strategy.draft"), on_click=draft).props("unelevated no-caps")
    if "activate" in strategy.verbs:
        button = ui.button(t("strategy.activate"), on_click=verb("activate", reason=False))
        button.props("unelevated no-caps")
        button.set_enabled(not strategy.missing)


def _draw_campaigns(view: View, found: _Found) -> None:
    t, campaigns = view.t, found.campaigns.items
    with ui.element("section").classes("panel"):
        html(Markup('<div class="panel-head"><h2>{}</h2></div>').format(t("strategy.campaigns")))
        if not campaigns:
            empty_state(t("strategy.campaigns.empty"), t("strategy.campaigns.empty.do"))
            return
        html(_progress(view, found.progress))
        names = [t(f"strategy.column.{name}") for name in _COLUMNS]
        html(table(names, [_row(view, each) for each in campaigns], right=range(3, 8)))
        if found.campaigns.next_cursor:
            html(Markup("<p class='muted small'>{}</p>").format(t("strategies.more", n=_MOST)))


def _progress(view: View, progress: StrategyProgress) -> Markup:
    t, budget = view.t, progress.budget
    pairs: list[tuple[str, Cell]] = []
    if budget is not None:
        taken = float(budget.committed / budget.amount) if budget.amount else 1.0
        said = t(
            "strategy.money",
            committed=exact_money(budget.committed, budget.currency),
            amount=exact_money(budget.amount, budget.currency),
            left=exact_money(budget.left, budget.currency),
        )
        pairs.append((t("strategy.amount"), Markup("{}{}").format(said, bar(taken))))
    counts = t(
        "strategy.contacts",
        assigned=whole(progress.assigned),
        done=whole(progress.done),
        accepted=whole(progress.accepted),
    )
    pairs.append((t("strategy.column.spent"), exact_money(progress.spent, "CNY")))
    pairs.append((t("strategy.column.assigned"), counts))
    return facts(pairs)


def _row(view: View, each: StrategyCampaign) -> list[Cell]:
    t = view.t
    return [
        two_lines(link(t.local(each.name), f"/campaigns/{segment(each.id)}"), each.key),
        state_tag(t, each.status),
        f"{day(each.start)} – {day(each.end)}" if each.start else NOTHING,
        exact_money(each.budget.amount, each.budget.currency) if each.budget else NOTHING,
        exact_money(each.spent, "CNY"),
        whole(each.assigned),
        whole(each.done),
        whole(each.accepted),
    ]


def _draw_versions(view: View, versions: list[StrategyVersionView]) -> None:
    if not versions:
        return
    t = view.t
    rows: list[list[Cell]] = [
        [
            str(each.version),
            f"{moment(each.written_at)} · {_person(each.written_by)}",
            t.local(each.name),
            exact_money(each.budget.amount, each.budget.currency) if each.budget else NOTHING,
        ]
        for each in versions
    ]
    with ui.element("section").classes("panel"):
        html(Markup('<div class="panel-head"><h2>{}</h2></div>').format(t("strategy.versions")))
        html(table([t(f"strategy.column.{name}") for name in _VERSION_COLUMNS], rows))


def _person(principal: str) -> str:
    return principal.removeprefix("user:")
