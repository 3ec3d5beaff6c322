"""The customer's tab of account work: state, plans, open opportunities and visits."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import Params, segment
from services.console.formats import day, exact_money
from services.console.pages.account_plans import draft_plan, plans_table
from services.console.pages.opportunities import RAD_TONES, WORKERS
from services.console.pages.opportunity_forms import open_opportunity
from services.console.pages.visits import draw_visits
from services.console.view import View
from services.console.widgets.html import facts, html, table, tag
from services.console.widgets.states import empty_state
from shared.contracts.base import Page
from shared.contracts.campaign.account_plans import AccountPlanSummary, VisitView
from shared.contracts.campaign.opportunities import OpportunityView, RadState

_SHOWN = 50
Reload = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Account:
    state: RadState
    plans: list[AccountPlanSummary]
    opportunities: list[OpportunityView]
    visits: list[VisitView]


def build_account(view: View, customer_id: str) -> None:
    async def again() -> None:
        await reload()

    reload = view.section(
        lambda: _fetch(view, customer_id),
        lambda found: _draw(view, found, customer_id, again),
        height=320,
    )


async def _fetch(view: View, customer_id: str) -> Account:
    api = view.api
    wanted: Params = {"customer_id": customer_id, "limit": _SHOWN}
    state, plans, opportunities, visits = await asyncio.gather(
        api.get("campaign", f"/v1/customers/{segment(customer_id)}/rad", RadState),
        api.get("campaign", "/v1/account-plans", Page[AccountPlanSummary], wanted),
        api.get("campaign", "/v1/opportunities", Page[OpportunityView], wanted),
        api.get("campaign", "/v1/visits", Page[VisitView], wanted),
    )
    return Account(state, plans.items, opportunities.items, visits.items)


def _draw(view: View, found: Account, customer_id: str, again: Reload) -> None:
    t, state = view.t, found.state

    async def draft() -> None:
        made = await draft_plan(view, customer_id)
        if made is not None:
            ui.navigate.to(f"/account-plans/{made.id}")

    async def add() -> None:
        if await open_opportunity(view, customer_id) is not None:
            await again()

    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("accounts.state")))
        html(
            facts(
                [
                    (t("opportunities.rad"), tag(t.word("rad", state.rad), RAD_TONES[state.rad])),
                    (t("accounts.state.recent"), exact_money(state.recent, None)),
                    (t("accounts.state.before"), exact_money(state.before, None)),
                    (t("accounts.state.won"), str(state.won)),
                ]
            )
        )
        if view.user.has(*WORKERS):
            with ui.element("div").classes("actions"):
                ui.button(t("accounts.draft"), on_click=draft).props("outline no-caps dense")
                ui.button(t("opportunities.open"), on_click=add).props("outline no-caps dense")
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("accounts.title")))
        if found.plans:
            html(plans_table(view, found.plans))
        else:
            empty_state(t("accounts.empty"), t("accounts.empty.do"))
    if found.opportunities:
        columns = [t(f"opportunities.column.{name}") for name in ("name", "state", "amount", "close")]
        rows = [
            (
                one.name or "–",
                t.word("opportunity", one.status),
                exact_money(one.won_amount or one.amount, one.currency),
                day(one.expected_close),
            )
            for one in found.opportunities
        ]
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("opportunities.title")))
            html(table(columns, rows, right=(2,)))
    draw_visits(view, found.visits, customer_id, again)
