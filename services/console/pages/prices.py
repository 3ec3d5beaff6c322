"""Price calculator 价格测算: what a quote leaves, and the quotes that were made."""

import asyncio
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import day, exact_money, moment
from services.console.frame import heading
from services.console.pages.price_form import Calculator
from services.console.pages.price_list_review import Reload
from services.console.pages.price_lists import draw_price_lists
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.html import Cell, html, link, table, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign.price_lists import PriceListView
from shared.contracts.campaign.quotes import QuoteSummary, QuoteView

_QUOTES = 50
_LISTS = 200
SELLERS = (Role.manager, Role.branch_head)
_TRIERS = (*SELLERS, Role.strategist, Role.approver)


@dataclass(frozen=True)
class Desk:
    lists: list[PriceListView]
    """In force."""
    proposals: list[PriceListView]
    quote: QuoteView | None


@page("/prices", title="prices.title", nav="prices")
async def prices_page(view: View, quote: str = "", customer: str = "") -> None:
    t = view.t

    async def fetch() -> Desk:
        lists, proposals, known = await asyncio.gather(
            _lists(view, {"newest": "true"}), _lists(view, {"state": "in_review"}), _quote(view, quote)
        )
        return Desk(lists, proposals, known)

    async def quotes() -> Page[QuoteSummary]:
        return await view.api.get("campaign", "/v1/price-quotes", Page[QuoteSummary], {"limit": _QUOTES})

    async def again() -> None:
        await load()

    with heading(t("prices.title"), t("prices.subtitle")):
        pass
    with ui.element("div").classes("stack"):
        if view.user.has(*_TRIERS):
            load = view.section(fetch, lambda desk: _desk(view, desk, customer, again), height=420)
        view.section(quotes, lambda found: _quotes(view, found.items), height=200)


async def _lists(view: View, which: dict[str, str]) -> list[PriceListView]:
    found = await view.api.get("campaign", "/v1/price-lists", Page[PriceListView], {"limit": _LISTS, **which})
    return found.items


async def _quote(view: View, quote: str) -> QuoteView | None:
    if not quote:
        return None
    return await view.api.get("campaign", f"/v1/price-quotes/{segment(quote)}", QuoteView)


def _desk(view: View, desk: Desk, customer: str, again: Reload) -> None:
    _calculator(view, desk, customer)
    draw_price_lists(view, desk.lists, desk.proposals, again)


def _calculator(view: View, desk: Desk, customer: str) -> None:
    t = view.t
    if not desk.lists:
        with ui.element("section").classes("panel"):
            empty_state(t("prices.no_list"), t("prices.no_list.do"))
        return
    calculator = Calculator(view, desk.lists, desk.quote, customer)
    sells = view.user.has(*SELLERS)
    calculator.draw((lambda saved: ui.navigate.to(f"/prices/{saved.id}")) if sells else None)


def _quotes(view: View, quotes: list[QuoteSummary]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("prices.quotes")))
        if not quotes:
            empty_state(t("prices.quotes.empty"), t("prices.quotes.empty.do"))
            return
        names = ("quote", "customer", "state", "line_revenue", "line_cost", "floor", "until", "by")
        columns = [t(f"prices.column.{name}") for name in names]
        html(table(columns, [_row(view, one) for one in quotes], right=(3, 4, 5)))


def _row(view: View, one: QuoteSummary) -> list[Cell]:
    return [
        two_lines(link(str(one.id)[-12:], f"/prices/{one.id}"), one.price_list),
        link(str(one.customer_id)[-12:], f"/customers/{one.customer_id}"),
        state_tag(view.t, one.status),
        exact_money(one.revenue, one.currency),
        exact_money(one.cost, one.currency),
        exact_money(one.floor, one.currency),
        day(one.valid_until),
        two_lines(one.created_by, moment(one.created_at)),
    ]
