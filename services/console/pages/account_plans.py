"""Key-account plans 重点客户计划: those of the organisation, what is overdue in them, and a new one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, day, whole
from services.console.frame import heading
from services.console.pages.opportunities import RAD_TONES, WORKERS
from services.console.view import View, page
from services.console.widgets.dialogs import form
from services.console.widgets.fields import Places, listed, number_field, rounded, text_field
from services.console.widgets.html import Cell, html, link, table, tag
from services.console.widgets.states import empty_state
from shared import clock
from shared.contracts.base import Page
from shared.contracts.campaign.account_plans import (
    AccountPlanSummary,
    AccountPlanView,
    ActionView,
    PlanStatus,
)

_SHOWN = 200
TONES: dict[PlanStatus, str] = {"draft": "warn", "active": "good", "closed": ""}
Reload = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Plans:
    plans: list[AccountPlanSummary]
    overdue: list[ActionView]


@page("/account-plans", title="accounts.title", nav="account-plans")
async def account_plans_page(view: View, customer: str = "") -> None:
    t = view.t

    async def add() -> None:
        made = await draft_plan(view, customer)
        if made is not None:
            ui.navigate.to(f"/account-plans/{made.id}")

    with heading(t("accounts.title"), t("accounts.note")):
        if view.user.has(*WORKERS):
            ui.button(t("accounts.draft"), on_click=add).props("unelevated no-caps")
    view.section(lambda: _fetch(view), lambda found: _draw(view, found), height=320)


async def _fetch(view: View) -> Plans:
    plans, overdue = await asyncio.gather(
        view.api.get("campaign", "/v1/account-plans", Page[AccountPlanSummary], {"limit": _SHOWN}),
        view.api.get(
            "campaign", "/v1/account-actions", Page[ActionView], {"limit": _SHOWN, "overdue": "true"}
        ),
    )
    return Plans(plans.items, overdue.items)


def _draw(view: View, found: Plans) -> None:
    t = view.t
    with ui.element("section").classes("panel").style("margin-bottom: 18px"):
        if not found.plans:
            empty_state(t("accounts.empty"), t("accounts.empty.do"))
        else:
            html(plans_table(view, found.plans))
    if found.overdue:
        columns = [t(f"accounts.column.{name}") for name in ("action", "owner", "due", "plan")]
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("accounts.overdue")))
            html(table(columns, [_overdue(view, each) for each in found.overdue]))


def _overdue(view: View, action: ActionView) -> list[Cell]:
    return [
        action.name,
        action.owner,
        tag(day(action.due_on), "bad"),
        link(view.t("accounts.open"), f"/account-plans/{action.plan_id}"),
    ]


def plans_table(view: View, plans: list[AccountPlanSummary]) -> Markup:
    t = view.t
    columns = ("year", "customer", "state", "rad", "owner", "actions", "late")
    rows: list[list[Cell]] = [
        [
            link(str(one.year), f"/account-plans/{one.id}"),
            link(str(one.customer_id)[-12:], f"/customers/{one.customer_id}"),
            tag(t.word("plan", one.status), TONES[one.status]),
            tag(t.word("rad", one.rad), RAD_TONES[one.rad]),
            "、".join([one.owner, *one.team]),
            f"{whole(one.done)}/{whole(one.actions)}",
            tag(whole(one.overdue), "bad") if one.overdue else NOTHING,
        ]
        for one in plans
    ]
    return table([t(f"accounts.column.{name}") for name in columns], rows, right=(5, 6))


async def draft_plan(view: View, customer: str = "") -> AccountPlanView | None:
    """What was drafted, or nothing when the user turned back."""
    t = view.t
    fields: dict[str, Any] = {}

    def draw() -> None:
        fields["customer_id"] = text_field(t("opportunities.field.customer"), customer)
        fields["year"] = number_field(t("accounts.field.year"), clock.today().year)
        fields["team"] = text_field(t("accounts.field.team"))
        fields["objectives"] = text_field(t("accounts.field.won"))
        fields["strategy"] = ui.textarea(t("accounts.field.strategy")).props("outlined autogrow")

    async def save() -> AccountPlanView | None:
        target = str(fields["objectives"].value or "").replace(",", "").strip()
        body = {
            "customer_id": str(fields["customer_id"].value or "").strip(),
            "year": rounded(fields["year"]),
            "team": listed(fields["team"].value),
            "objectives": [{"measure": "won", "target": target}] if target else [],
            "strategy": str(fields["strategy"].value or ""),
        }
        places: Places = {f"/{name}": each for name, each in fields.items()}
        made = view.api.post("campaign", "/v1/account-plans", AccountPlanView, body)
        drafted = await view.attempt(made, places)
        if drafted is not None:
            view.done(t("accounts.drafted"))
        return drafted

    return await form(t, title=t("accounts.draft"), note=t("accounts.draft.note"), draw=draw, save=save)
