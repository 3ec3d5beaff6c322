"""What can be done about a referral: its answers, its result, and what to offer next."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import exact_money
from services.console.view import View
from services.console.widgets.dialogs import confirm, form
from services.console.widgets.fields import text_field
from services.console.widgets.html import html, table
from services.console.widgets.states import empty_state
from shared.contracts.campaign.referrals import NextOffers, ReferralVerb, ReferralView

Reload = Callable[[], Awaitable[None]]
_FIELDS: dict[ReferralVerb, str] = {"assign": "manager", "reject": "reason", "lose": "reason"}
"""Verbs that ask for one thing more."""


def draw_actions(view: View, one: ReferralView, again: Reload) -> None:
    """Buttons of what this user may do now."""
    t = view.t
    shows_next = one.state in {"won", "accepted"}
    if not one.verbs and not shows_next:
        return
    with ui.element("div").classes("actions").style("margin-top: 12px"):
        for verb in one.verbs:
            button = ui.button(t(f"referrals.{verb}"), on_click=_does(view, one, verb, again))
            button.props("unelevated no-caps" if verb in {"accept", "win"} else "outline no-caps")
        if shows_next:
            look = ui.button(t("next_offers.show"), on_click=lambda: show_next_offers(view, one.customer_id))
            look.props("flat no-caps")


def _does(view: View, one: ReferralView, verb: ReferralVerb, again: Reload) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        done = await (_win(view, one) if verb == "win" else _answer(view, one, verb))
        if done is not None:
            view.done(view.t("action.done", state=view.t.word("referral_state", done.state)))
            await again()

    return do


async def _answer(view: View, one: ReferralView, verb: ReferralVerb) -> ReferralView | None:
    t, asked = view.t, _FIELDS.get(verb)
    said = await confirm(
        t,
        title=t(f"referrals.{verb}"),
        text=t(f"referrals.{verb}.confirm"),
        field=t(f"referrals.{asked}") if asked else None,
        required=asked is not None,
    )
    if said is None:
        return None
    return await view.attempt(_post(view, one, verb, {asked: said} if asked else None))


def _post(
    view: View, one: ReferralView, verb: ReferralVerb, body: Mapping[str, object] | None
) -> Awaitable[ReferralView]:
    path = f"/v1/referrals/{segment(one.id)}:{verb}"
    return view.api.post("campaign", path, ReferralView, body, if_match=one.version)


async def _win(view: View, one: ReferralView) -> ReferralView | None:
    t = view.t
    fields: list[ui.input] = []

    def draw() -> None:
        fields.extend((text_field(t("referrals.amount")), text_field(t("referrals.currency"), "CNY")))

    async def save() -> ReferralView | None:
        amount, currency = fields
        body = {"amount": _plain(str(amount.value or "")), "currency": str(currency.value or "").strip()}
        return await view.attempt(_post(view, one, "win", body), {"/amount": amount, "/currency": currency})

    return await form(t, title=t("referrals.win"), note=t("referrals.win.confirm"), draw=draw, save=save)


def _plain(written: str) -> str:
    """As the service reads amounts; what is none stays as it was written, for the service to say so."""
    text = written.replace(",", "").strip()
    try:
        return format(Decimal(text), "f")
    except InvalidOperation:
        return text


async def show_next_offers(view: View, customer_id: object) -> None:
    """Secondary marketing: what suits a customer who has taken something, and was not offered before."""
    t, path = view.t, f"/v1/customers/{segment(customer_id)}/next-offers"
    found = await view.attempt(view.api.get("campaign", path, NextOffers))
    if found is None:
        return
    with ui.dialog() as dialog, ui.card().classes("dialog wide"):
        html(
            Markup("<h2>{}</h2><p class='muted'>{}</p>").format(t("next_offers.title"), t("next_offers.note"))
        )
        if found.offers:
            names = [t(f"next_offers.{name}") for name in ("offer", "product", "risk", "value")]
            rows = [
                [t.local(one.name), one.product, one.risk, exact_money(one.value, one.currency)]
                for one in found.offers
            ]
            html(table(names, rows, right=(3,)))
        else:
            empty_state(t("next_offers.empty"), t("next_offers.empty.do"))
        with ui.element("div").classes("actions").style("width: 100%"):
            ui.button(t("next_offers.close"), on_click=dialog.close).props("flat no-caps")
    await dialog
    dialog.delete()
