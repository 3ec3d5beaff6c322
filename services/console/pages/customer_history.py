"""Who changed what of a customer, when and why."""

from dataclasses import dataclass, field

from markupsafe import Markup
from nicegui import ui
from pydantic import JsonValue

from services.console.api import segment
from services.console.formats import NOTHING, moment
from services.console.view import View
from services.console.widgets.html import Cell, html, table
from services.console.widgets.states import empty_state
from shared.contracts.base import Page
from shared.contracts.customer.history import FieldChange

_PAGE = 50


@dataclass
class Changes:
    found: list[FieldChange] = field(default_factory=list)
    next_cursor: str | None = None


def build_history(view: View, customer_id: str) -> None:
    changes = Changes()

    async def fetch() -> None:
        page = await _page(view, customer_id, None)
        changes.found, changes.next_cursor = page.items, page.next_cursor

    view.section(fetch, lambda _: _draw(view, customer_id, changes), height=320)


async def _page(view: View, customer_id: str, cursor: str | None) -> Page[FieldChange]:
    path = f"/v1/customers/{segment(customer_id)}/history"
    return await view.api.get("customer", path, Page[FieldChange], {"limit": _PAGE, "cursor": cursor})


def _draw(view: View, customer_id: str, changes: Changes) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("history.title")))
        if not changes.found:
            empty_state(t("history.empty"), t("history.empty.do"))
            return
        listed = html(_table(view, changes.found))

        async def more() -> None:
            page = await view.attempt(_page(view, customer_id, changes.next_cursor))
            if page is not None:
                changes.found.extend(page.items)
                changes.next_cursor = page.next_cursor
                listed.set_content(str(_table(view, changes.found)))
                button.set_visibility(page.next_cursor is not None)

        button = ui.button(t("more"), on_click=more).props("flat no-caps")
        button.set_visibility(changes.next_cursor is not None)


def _table(view: View, changes: list[FieldChange]) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            moment(change.at),
            t.word("field", change.field),
            _value(change.before),
            _value(change.after),
            change.by or NOTHING,
            change.reason or NOTHING,
        ]
        for change in changes
    ]
    names = ("at", "field", "before", "after", "by", "reason")
    return table([t(f"history.{name}") for name in names], rows)


def _value(value: JsonValue) -> str:
    return NOTHING if value is None or value == {} else str(value)
