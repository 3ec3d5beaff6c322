"""Every price list in force, what is proposed for it, and the button that proposes its next version."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.formats import moment, percent, whole
from services.console.pages.price_list_form import write_price_list
from services.console.pages.price_list_review import Reload, draw_proposals
from services.console.view import View
from services.console.widgets.html import html
from shared.auth import Role
from shared.contracts.campaign.price_lists import PriceListView


def draw_price_lists(
    view: View, lists: list[PriceListView], proposals: list[PriceListView], again: Reload
) -> None:
    t = view.t
    draw_proposals(view, proposals, again)
    writes = view.user.has(Role.strategist)
    if not lists and not writes:
        return
    with ui.element("section").classes("panel"):
        with ui.element("div").classes("panel-head"):
            html(Markup("<h2>{}</h2><p>{}</p>").format(t("price_lists.title"), t("price_lists.note")))
            if writes:
                write = ui.button(t("price_lists.write"), on_click=_writes(view, None, again))
                view.bank_wide(write).props("unelevated no-caps")
        for one in lists:
            with ui.element("div").classes("actions").style("justify-content: space-between; padding: 6px 0"):
                html(Markup('<b>{}</b> {}<br><span class="muted small">{}</span>').format(*_words(view, one)))
                if writes:
                    change = ui.button(t("price_lists.change"), on_click=_writes(view, one, again))
                    view.bank_wide(change).props("outline no-caps dense")


def _words(view: View, one: PriceListView) -> tuple[str, str, str]:
    t = view.t
    levels = " · ".join(
        f"{t.word('role', level.role)} {percent(level.discount, 0)}" for level in one.authority
    )
    held = t("price_lists.holds", products=whole(len(one.products)), bundles=whole(len(one.bundles)))
    written = t("price_lists.written", time=moment(one.created_at), by=one.created_by)
    return t.local(one.name), one.ref, " · ".join(part for part in (held, levels, written) if part)


def _writes(view: View, before: PriceListView | None, again: Reload) -> Callable[[], Awaitable[None]]:
    async def write() -> None:
        written = await write_price_list(view, before)
        if written is not None:
            view.done(view.t("price_lists.done", ref=written.ref))
            await again()

    return write
