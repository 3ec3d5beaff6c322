"""What a customer allows: the present word by channel and purpose, its proof, and do-not-contact."""

from typing import get_args

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, day, moment
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, html, table, tag
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.customer.consents import ConsentsView, ConsentView
from shared.contracts.events import Channel
from shared.contracts.events.stewardship import ConsentPurpose

_WRITERS = (Role.branch_head, Role.manager)
_CHANNELS: tuple[Channel, ...] = get_args(Channel)
_PURPOSES: tuple[ConsentPurpose, ...] = get_args(ConsentPurpose)


def build_consents(view: View, customer_id: str) -> None:
    path = f"/v1/customers/{segment(customer_id)}"

    async def fetch() -> ConsentsView:
        return await view.api.get("customer", f"{path}/consents", ConsentsView, {"limit": 50})

    reload = view.section(fetch, lambda found: _draw(view, found), height=300)
    if not view.user.has(*_WRITERS):
        return
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("consents.enter")))
        with ui.element("div").classes("filters"):
            channel = _choice(view, "consents.channel", {one: t.word("consent", one) for one in _CHANNELS})
            purpose = _choice(view, "consents.purpose", {one: t.word("purpose", one) for one in _PURPOSES})
            reference = ui.input(t("consents.reference")).props("outlined dense maxlength=500")

    async def say(*, granted: bool) -> None:
        proof = {"kind": "form", "reference": str(reference.value).strip()} if reference.value else None
        body: dict[str, object] = {"granted": granted, "purpose": str(purpose.value)}
        if proof:
            body["proof"] = proof
        own = f"{path}/consents/{segment(channel.value)}"
        if await view.attempt(view.api.put("customer", own, list[ConsentView], body)) is not None:
            view.done(t("consents.done"))
            await reload()

    async def refuse_all() -> None:
        title, text = t("consents.refuse_all"), t("consents.refuse_all.confirm")
        if await confirm(t, title=title, text=text) is None:
            return
        own = f"{path}:refuse-contact"
        if await view.attempt(view.api.post("customer", own, list[ConsentView], {})) is not None:
            view.done(t("consents.done"))
            await reload()

    with ui.element("div").classes("actions"):
        ui.button(t("consents.grant"), on_click=lambda: say(granted=True)).props("outline no-caps")
        ui.button(t("consents.refuse"), on_click=lambda: say(granted=False)).props("outline no-caps")
        ui.button(t("consents.refuse_all"), on_click=refuse_all).props("unelevated no-caps color=negative")


def _choice(view: View, label: str, options: dict[str, str]) -> ui.select:
    made = ui.select(options, value=next(iter(options)), label=view.t(label))
    return made.props("outlined dense options-dense").style("min-width: 150px")


def _draw(view: View, found: ConsentsView) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("consents.present")))
        if not found.present:
            empty_state(t("consents.empty"), t("consents.empty.do"))
            return
        html(_present(view, found.present))
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("consents.ledger")))
        rows: list[list[Cell]] = [
            [
                moment(entry.changed_at),
                t.word("consent", entry.channel),
                t.word("purpose", entry.purpose),
                _word(view, granted=entry.granted),
                t.word("proof", entry.proof.kind) if entry.proof else NOTHING,
                entry.source,
                entry.recorded_by or NOTHING,
            ]
            for entry in found.ledger
        ]
        names = ("at", "channel", "purpose", "word", "proof", "source", "by")
        html(table([t(f"consents.{name}") for name in names], rows))


def _present(view: View, present: list[ConsentView]) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            t.word("consent", one.channel),
            t.word("purpose", one.purpose),
            tag(t("consents.expired"), "warn") if one.expired else _word(view, granted=one.granted),
            moment(one.changed_at),
            day(one.valid_until),
        ]
        for one in present
    ]
    return table([t(f"consents.{name}") for name in ("channel", "purpose", "word", "at", "until")], rows)


def _word(view: View, *, granted: bool) -> Markup:
    return tag(view.t("consents.yes"), "good") if granted else tag(view.t("consents.no"), "bad")
