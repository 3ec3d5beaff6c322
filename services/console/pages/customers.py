"""Find a customer: by part of the name, phone, identity, source id, unit or manager."""

from dataclasses import dataclass, field

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING
from services.console.frame import heading
from services.console.session import PERSONAL_READERS
from services.console.view import View, page
from services.console.widgets.html import Cell, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.contracts.base import Page
from shared.contracts.customer import CustomerView

_PAGE = 25
_FIELDS = ("source", "source_id", "org", "manager")
_PERSONAL_FIELDS = ("name", "phone", "id_number")


@dataclass
class Search:
    given: dict[str, str] = field(default_factory=dict)
    found: list[CustomerView] = field(default_factory=list)
    next_cursor: str | None = None


@page("/customers", title="customers.title", nav="customers")
async def customers_page(view: View) -> None:
    t, search = view.t, Search()
    names = (*_PERSONAL_FIELDS, *_FIELDS) if view.user.has(*PERSONAL_READERS) else _FIELDS
    with heading(t("customers.title"), t("customers.note")):
        pass
    inputs: dict[str, ui.input] = {}

    async def find() -> None:
        search.given = {name: value for name in names if (value := str(inputs[name].value or "").strip())}
        if ("source" in search.given) != ("source_id" in search.given):
            ui.notify(t("customers.both"), type="warning")
            return
        await load()

    with ui.element("section").classes("panel").props('role="search"').style("margin-bottom: 18px"):
        with ui.element("div").classes(f"grid cols-{3 if len(names) > len(_FIELDS) else 4}"):
            for name in names:
                made = ui.input(t(f"customers.{name}")).props("outlined dense autocomplete=off clearable")
                inputs[name] = made.on("keydown.enter", find)
        ui.button(t("customers.find"), on_click=find).props("unelevated no-caps").style("margin-top: 14px")

    async def fetch() -> None:
        page_ = await _fetch(view, search, None)
        search.found, search.next_cursor = page_.items, page_.next_cursor

    load = view.section(fetch, lambda _: _draw(view, search), height=320)


async def _fetch(view: View, search: Search, cursor: str | None) -> Page[CustomerView]:
    params = {**search.given, "limit": _PAGE, "cursor": cursor}
    return await view.api.get("customer", "/v1/customers", Page[CustomerView], params)


def _draw(view: View, search: Search) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not search.found:
            empty_state(t("customers.empty"), t("customers.empty.do"))
            return
        listed = html(_table(view, search.found))
        if search.next_cursor is None:
            return

        async def more() -> None:
            page_ = await view.attempt(_fetch(view, search, search.next_cursor))
            if page_ is None:
                return
            search.found.extend(page_.items)
            search.next_cursor = page_.next_cursor
            listed.set_content(str(_table(view, search.found)))
            button.set_visibility(page_.next_cursor is not None)

        button = ui.button(t("more"), on_click=more).props("flat no-caps")


def _table(view: View, customers: list[CustomerView]) -> Markup:
    t = view.t
    names = ("name", "customer_kind", "status", "phone", "org", "manager", "risk")
    return table([t(f"column.{name}") for name in names], [_row(view, customer) for customer in customers])


def _row(view: View, customer: CustomerView) -> list[Cell]:
    t = view.t
    return [
        two_lines(
            link(customer.name or NOTHING, f"/customers/{customer.id}"),
            " · ".join(f"{own.source} {own.source_id}" for own in customer.identities[:2]),
        ),
        t.word("customer_kind", customer.kind),
        tag(t.word("customer_state", customer.status), "good" if customer.status == "active" else ""),
        customer.phone or NOTHING,
        customer.org,
        customer.primary_manager or NOTHING,
        customer.risk_level or NOTHING,
    ]
