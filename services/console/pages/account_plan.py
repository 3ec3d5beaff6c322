"""One key-account plan: its objectives as measured, its actions, and the customer's visits beside it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import Params, segment
from services.console.formats import NOTHING, day, exact_money, moment, percent
from services.console.frame import heading
from services.console.pages.account_plans import TONES
from services.console.pages.opportunities import RAD_TONES, WORKERS
from services.console.pages.visits import draw_visits
from services.console.view import View, page
from services.console.widgets.dialogs import confirm, form
from services.console.widgets.fields import Places, text_field
from services.console.widgets.html import Cell, bar, facts, html, link, table, tag
from services.console.widgets.states import empty_state
from shared import clock
from shared.contracts.base import Page
from shared.contracts.campaign.account_plans import (
    AccountPlanView,
    ActionView,
    ObjectiveView,
    PlanVerb,
    VisitView,
)

_VISITS = 50
_USUAL_DAYS = 14
Reload = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Plan:
    plan: AccountPlanView
    visits: list[VisitView]


@page("/account-plans/{plan_id}", title="accounts.plan", nav="account-plans")
async def account_plan_page(view: View, plan_id: str) -> None:
    async def again() -> None:
        await reload()

    reload = view.section(lambda: _fetch(view, plan_id), lambda found: _draw(view, found, again), height=420)


async def _fetch(view: View, plan_id: str) -> Plan:
    plan = await view.api.get("campaign", f"/v1/account-plans/{segment(plan_id)}", AccountPlanView)
    wanted: Params = {"customer_id": str(plan.customer_id), "limit": _VISITS}
    visits = await view.api.get("campaign", "/v1/visits", Page[VisitView], wanted)
    return Plan(plan, visits.items)


def _draw(view: View, found: Plan, again: Reload) -> None:
    t, plan = view.t, found.plan
    crumb = link(t("accounts.title"), "/account-plans")
    with heading(t("accounts.plan.of", year=str(plan.year)), crumb=crumb):
        html(
            tag(t.word("plan", plan.status), TONES[plan.status])
            + " "
            + tag(t.word("rad", plan.rad), RAD_TONES[plan.rad])
        )
        if view.user.has(*WORKERS):
            _verbs(view, plan, again)
    with ui.element("div").classes("grid cols-2"):
        with ui.element("section").classes("panel"):
            html(facts(_facts(view, plan)))
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("accounts.objectives")))
            _objectives(view, plan)
    with ui.element("section").classes("panel").style("margin: 18px 0"):
        html(Markup("<h2>{}</h2>").format(t("accounts.actions")))
        _actions(view, plan, again)
    draw_visits(view, found.visits, str(plan.customer_id), again)


def _facts(view: View, plan: AccountPlanView) -> list[tuple[str, Cell]]:
    t = view.t
    return [
        (
            t("accounts.column.customer"),
            link(str(plan.customer_id)[-12:], f"/customers/{plan.customer_id}"),
        ),
        (t("accounts.column.owner"), plan.owner),
        (t("accounts.field.team"), "、".join(plan.team) or NOTHING),
        (t("accounts.field.situation"), plan.situation or NOTHING),
        (t("accounts.field.strategy"), plan.strategy or NOTHING),
        (t("accounts.conclusion"), plan.conclusion or NOTHING),
        (t("accounts.written"), f"{moment(plan.created_at)} · {plan.created_by}"),
    ]


def _objectives(view: View, plan: AccountPlanView) -> None:
    t = view.t
    if not plan.objectives:
        empty_state(t("accounts.objectives.empty"), t("accounts.objectives.empty.do"))
        return
    columns = [t(f"accounts.column.{name}") for name in ("measure", "target", "measured", "attained")]

    def row(one: ObjectiveView) -> list[Cell]:
        known = exact_money(one.measured, plan.currency)
        return [
            t.word("measure", one.measure),
            exact_money(one.target, plan.currency),
            known if one.unmeasured is None else t.word("unmeasured", one.unmeasured),
            Markup("{}{}").format(percent(one.attainment), bar(one.attainment)),
        ]

    html(table(columns, [row(one) for one in plan.objectives], right=(1, 2)))


def _verbs(view: View, plan: AccountPlanView, again: Reload) -> None:
    t = view.t

    async def send(verb: str, body: Mapping[str, object] | None) -> None:
        path = f"/v1/account-plans/{plan.id}:{verb}"
        sent = view.api.post("campaign", path, AccountPlanView, body, if_match=plan.version)
        if await view.attempt(sent) is not None:
            view.done(t("accounts.done"))
            await again()

    async def close() -> None:
        text, field = t("accounts.close.note"), t("accounts.conclusion")
        said = await confirm(t, title=t("accounts.close"), text=text, field=field, required=True)
        if said is not None:
            await send("close", {"conclusion": said})

    async def edit() -> None:
        if await _edit(view, plan) is not None:
            await again()

    buttons: dict[PlanVerb, tuple[str, Reload]] = {
        "edit": (t("accounts.edit"), edit),
        "activate": (t("accounts.activate"), lambda: send("activate", None)),
        "close": (t("accounts.close"), close),
    }
    for verb in plan.verbs:
        label, act = buttons[verb]
        ui.button(label, on_click=act).props("outline no-caps")


async def _edit(view: View, plan: AccountPlanView) -> AccountPlanView | None:
    """Situation, strategy and the target of each objective."""
    t = view.t
    fields: dict[str, Any] = {}
    targets = {each.measure: each.target for each in plan.objectives}

    def draw() -> None:
        for name in ("situation", "strategy"):
            area = ui.textarea(t(f"accounts.field.{name}"), value=getattr(plan, name))
            fields[f"/{name}"] = area.props("outlined autogrow")
        fields["/value_model"] = text_field(t("accounts.field.value_model"), plan.value_model or "")
        for measure in ("contribution", "won", "deposits", "loans", "fees"):
            known = targets.get(measure)
            fields[measure] = text_field(t.word("measure", measure), "" if known is None else str(known))

    async def save() -> AccountPlanView | None:
        typed = {name: str(each.value or "").strip() for name, each in fields.items()}
        wanted = [name for name in typed if not name.startswith("/") and typed[name]]
        body = {
            "situation": typed["/situation"],
            "strategy": typed["/strategy"],
            "value_model": typed["/value_model"] or None,
            "objectives": [{"measure": name, "target": typed[name].replace(",", "")} for name in wanted],
        }
        places: Places = {
            **{name: each for name, each in fields.items() if name.startswith("/")},
            **{f"/objectives/{at}": fields[name] for at, name in enumerate(wanted)},
        }
        path = f"/v1/account-plans/{plan.id}"
        sent = view.api.patch("campaign", path, AccountPlanView, body, if_match=plan.version)
        return await view.attempt(sent, places)

    return await form(t, title=t("accounts.edit"), note=t("accounts.edit.note"), draw=draw, save=save)


def _actions(view: View, plan: AccountPlanView, again: Reload) -> None:
    t, works = view.t, view.user.has(*WORKERS) and "edit" in plan.verbs
    if not plan.action_list:
        empty_state(t("accounts.actions.empty"), t("accounts.actions.empty.do"))
    for action in plan.action_list:
        with ui.element("div").classes("rule-leaf"):
            tone = "bad" if action.overdue else "good" if action.done_at else ""
            when = day(action.done_at) if action.done_at else day(action.due_on)
            line = Markup("<b>{}</b> {}<div class='muted small'>{} · {}</div>")
            html(line.format(action.name, tag(when, tone), action.owner, action.result or "")).style(
                "flex: 1"
            )
            if works and action.done_at is None:
                ui.button(t("accounts.action.done"), on_click=_finish(view, action, again)).props(
                    "outline no-caps dense"
                )

    async def add() -> None:
        if await _add_action(view, plan) is not None:
            await again()

    if works:
        ui.button(t("accounts.action.add"), on_click=add).props("unelevated no-caps dense")


def _finish(view: View, action: ActionView, again: Reload) -> Reload:
    t = view.t

    async def finish() -> None:
        title, field = t("accounts.action.done"), t("accounts.action.result")
        said = await confirm(t, title=title, text=action.name, field=field, required=True)
        if said is None:
            return
        path = f"/v1/account-actions/{action.id}:complete"
        body = {"result": said}
        sent = view.api.post("campaign", path, ActionView, body, if_match=action.version)
        if await view.attempt(sent) is not None:
            await again()

    return finish


async def _add_action(view: View, plan: AccountPlanView) -> ActionView | None:
    t = view.t
    fields: dict[str, Any] = {}

    def draw() -> None:
        fields["name"] = text_field(t("accounts.column.action"))
        owners = [plan.owner, *plan.team]
        owner = ui.select(owners, value=plan.owner, label=t("accounts.column.owner"))
        fields["owner"] = owner.props("outlined dense")
        soon = clock.today() + timedelta(days=_USUAL_DAYS)
        fields["due_on"] = text_field(t("accounts.column.due"), soon.isoformat())

    async def save() -> ActionView | None:
        body = {name: str(each.value or "").strip() for name, each in fields.items()}
        places: Places = {f"/{name}": each for name, each in fields.items()}
        path = f"/v1/account-plans/{plan.id}/actions"
        return await view.attempt(view.api.post("campaign", path, ActionView, body), places)

    return await form(t, title=t("accounts.action.add"), note="", draw=draw, save=save)
