"""Quotas of offers: how much may be sold, what is sold, reserved and left; set and change."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import moment, whole
from services.console.frame import heading
from services.console.view import View, page
from services.console.widgets.fields import Places
from services.console.widgets.html import bar, html, tag, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign import OfferView
from shared.contracts.campaign.quotas import QuotaView

Reload = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Shelf:
    quotas: list[QuotaView]
    offers: dict[str, OfferView]


@page("/quotas", title="quotas.title", nav="quotas")
async def quotas_page(view: View) -> None:
    with heading(view.t("quotas.title"), view.t("quotas.note")):
        pass

    async def again() -> None:
        await reload()

    reload = view.section(lambda: _fetch(view), lambda shelf: _draw(view, shelf, again), height=320)


async def _fetch(view: View) -> Shelf:
    quotas = await view.api.get("campaign", "/v1/quotas", Page[QuotaView], {"limit": 1000})
    offers = await view.api.get("campaign", "/v1/offers", Page[OfferView], {"limit": 1000})
    return Shelf(quotas.items, {offer.key: offer for offer in offers.items})


def _draw(view: View, shelf: Shelf, again: Reload) -> None:
    t = view.t
    plans = view.user.has(Role.strategist)
    without = {
        key: t.local(offer.name)
        for key, offer in shelf.offers.items()
        if key not in {each.offer for each in shelf.quotas}
    }
    if plans and without and view.bank_wide_form():
        _draw_form(view, without, again)
    with ui.element("section").classes("panel"):
        if not shelf.quotas:
            empty_state(t("quotas.empty"), t("quotas.empty.do"))
            return
        for quota in shelf.quotas:
            _draw_quota(view, quota, shelf.offers.get(quota.offer), again if plans else None)


def _draw_form(view: View, offers: dict[str, str], again: Reload) -> None:
    t = view.t
    with ui.element("section").classes("panel").style("margin-bottom: 18px"):
        html(Markup("<h2>{}</h2>").format(t("quotas.set")))
        with ui.element("div").classes("filters"):
            offer = ui.select(offers, value=next(iter(offers)), label=t("quotas.offer"))
            offer.props("outlined dense options-dense").style("min-width: 260px")
            units = ui.number(t("quotas.units"), value=100, min=0, precision=0).props("outlined dense")

            async def send() -> None:
                body = {"offer": offer.value, "units": units.value}
                places: Places = {"/offer": offer, "/units": units}
                made = view.api.post("campaign", "/v1/quotas", QuotaView, body)
                if await view.attempt(made, places) is not None:
                    view.done(t("quotas.done"))
                    await again()

            ui.button(t("quotas.set.do"), on_click=send).props("unelevated no-caps")


def _draw_quota(view: View, quota: QuotaView, offer: OfferView | None, again: Reload | None) -> None:
    t = view.t
    counts = t(
        "quotas.counts",
        sold=whole(quota.sold),
        reserved=whole(quota.reserved),
        left=whole(quota.left),
        units=whole(quota.units),
    )
    end = Markup("")
    if quota.exhausted_at is not None:
        end = tag(t("quotas.exhausted", at=moment(quota.exhausted_at)), "bad")
    name = t.local(offer.name) if offer else quota.offer
    with ui.element("div").classes("actions").style("justify-content: space-between; padding: 10px 0"):
        with ui.element("div").style("flex: 1; min-width: 260px"):
            html(two_lines(Markup("<b>{}</b> {}").format(name, end), counts))
            html(bar((quota.sold + quota.reserved) / quota.units if quota.units else 1.0))
        if again is not None:
            _draw_change(view, quota, again)


def _draw_change(view: View, quota: QuotaView, again: Reload) -> None:
    t = view.t
    with ui.element("div").classes("actions"):
        units = ui.number(t("quotas.units"), value=quota.units, min=0, precision=0).props("outlined dense")

        async def change() -> None:
            path = f"/v1/quotas/{segment(quota.offer)}"
            changed = view.api.patch(
                "campaign", path, QuotaView, {"units": units.value}, if_match=quota.version
            )
            if await view.attempt(changed, {"/units": units}) is not None:
                view.done(t("quotas.done"))
                await again()

        view.bank_wide(ui.button(t("quotas.change"), on_click=change)).props("outline no-caps dense")
