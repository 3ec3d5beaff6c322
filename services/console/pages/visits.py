"""Visits to a customer: planned, recorded, called off."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.formats import moment, whole
from services.console.pages.opportunities import WORKERS
from services.console.view import View
from services.console.widgets.dialogs import confirm, form
from services.console.widgets.fields import Places, Remark, listed, number_field, text_field
from services.console.widgets.html import html, tag
from services.console.widgets.states import empty_state
from shared import clock
from shared.contracts.campaign.account_plans import VisitState, VisitView

_TONES: dict[VisitState, str] = {"planned": "accent", "made": "good", "cancelled": ""}
Reload = Callable[[], Awaitable[None]]


def draw_visits(view: View, visits: list[VisitView], customer: str, again: Reload) -> None:
    t = view.t

    async def plan() -> None:
        if await _plan(view, customer) is not None:
            await again()

    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("visits.title")))
        if not visits:
            empty_state(t("visits.empty"), t("visits.empty.do"))
        for visit in visits:
            _draw(view, visit, again)
        if view.user.has(*WORKERS):
            ui.button(t("visits.plan"), on_click=plan).props("unelevated no-caps dense")


def _draw(view: View, visit: VisitView, again: Reload) -> None:
    t = view.t
    state = tag(t.word("visit", visit.state), "bad" if visit.overdue else _TONES[visit.state])
    if visit.for_service:
        state += tag(t("visits.service"))
    people = "、".join(visit.participants)
    line = Markup("<b>{}</b> {} {}<div class='muted small'>{} · {}</div><div class='small'>{}</div>")
    said = " → ".join(each for each in (visit.result, visit.next_step) if each)
    with ui.element("div").classes("rule-leaf"):
        shown = line.format(visit.purpose or "–", moment(visit.at), state, visit.manager, people, said)
        html(shown).style("flex: 1")
        if visit.minutes is not None:
            html(Markup("{}").format(t("visits.minutes", n=whole(visit.minutes))))
        if visit.state == "planned" and view.user.has(*WORKERS):
            _verbs(view, visit, again)


def _verbs(view: View, visit: VisitView, again: Reload) -> None:
    t = view.t

    async def record() -> None:
        if await _record(view, visit) is not None:
            await again()

    async def cancel() -> None:
        title, field = t("visits.cancel"), t("visits.reason")
        said = await confirm(t, title=title, text=visit.purpose, field=field, required=True)
        if said is None:
            return
        path = f"/v1/visits/{visit.id}:cancel"
        sent = view.api.post("campaign", path, VisitView, {"reason": said}, if_match=visit.version)
        if await view.attempt(sent) is not None:
            await again()

    ui.button(t("visits.record"), on_click=record).props("outline no-caps dense")
    ui.button(t("visits.cancel"), on_click=cancel).props("flat no-caps dense")


async def _plan(view: View, customer: str) -> VisitView | None:
    t = view.t
    fields: dict[str, Any] = {}
    service: dict[str, Any] = {}

    def draw() -> None:
        soon = clock.now().astimezone(clock.ZONE) + timedelta(days=1)
        fields["at"] = text_field(t("visits.at"), f"{soon:%Y-%m-%d} 10:00")
        fields["purpose"] = text_field(t("visits.purpose"))
        fields["participants"] = text_field(t("visits.participants"))
        service["box"] = ui.checkbox(t("visits.for_service"))
        service["remark"] = Remark()

    async def save() -> VisitView | None:
        body = {
            "customer_id": customer,
            "for_service": service["box"].value,
            "at": _instant(str(fields["at"].value or "")),
            "purpose": str(fields["purpose"].value or ""),
            "participants": listed(fields["participants"].value),
        }
        places: Places = {f"/{name}": each for name, each in fields.items()}
        places = {**places, "/for_service": service["remark"]}
        return await view.attempt(view.api.post("campaign", "/v1/visits", VisitView, body), places)

    return await form(t, title=t("visits.plan"), note=t("visits.plan.note"), draw=draw, save=save)


def _instant(typed: str) -> str:
    """As the service reads it; what makes no time it points at itself."""
    offset = clock.now().astimezone(clock.ZONE).strftime("%z")
    return f"{typed.strip().replace(' ', 'T')}:00{offset[:3]}:{offset[3:]}"


async def _record(view: View, visit: VisitView) -> VisitView | None:
    t = view.t
    fields: dict[str, Any] = {}

    def draw() -> None:
        fields["at"] = text_field(t("visits.at"), moment(min(visit.at, clock.now())))
        fields["minutes"] = number_field(t("visits.took"), 60)
        fields["result"] = ui.textarea(t("visits.result")).props("outlined autogrow")
        fields["next_step"] = text_field(t("visits.next_step"))
        fields["next_on"] = text_field(t("visits.next_on"))

    async def save() -> VisitView | None:
        typed = {name: str(each.value or "").strip() for name, each in fields.items()}
        body = {
            "at": _instant(typed["at"]),
            "minutes": fields["minutes"].value,
            "result": typed["result"],
            "next_step": typed["next_step"] or None,
            "next_on": typed["next_on"] or None,
        }
        places: Places = {f"/{name}": each for name, each in fields.items()}
        path = f"/v1/visits/{visit.id}:record"
        sent = view.api.post("campaign", path, VisitView, body, if_match=visit.version)
        return await view.attempt(sent, places)

    return await form(t, title=t("visits.record"), note=visit.purpose, draw=draw, save=save)
