"""Find a customer. Names are encrypted, so a search is by what identifies: source id, unit, manager."""

from nicegui import ui

from services.console.frame import heading
from services.console.view import View, page
from services.console.widgets.states import empty_state


@page("/customers", title="customers.title", nav="customers")
async def customers_page(view: View) -> None:
    t = view.t
    with heading(t("customers.title"), t("customers.note")):
        pass
    with ui.element("section").classes("panel"):
        empty_state(t("customers.empty"), t("customers.empty.do"))
