"""GE matrices for key accounts: which there are, and how many customers stand in them."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.formats import moment, whole
from services.console.frame import heading
from services.console.pages.ge_form import declare
from services.console.view import View, page
from services.console.widgets.html import Cell, html, link, table, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation.ge_matrix import GeMatrixView, WeighedFactor


@page("/ge-matrices", title="ge.title", nav="ge-matrices")
async def ge_matrices_page(view: View) -> None:
    t = view.t

    async def declared() -> None:
        made = await declare(view)
        if made is not None:
            ui.navigate.to(f"/ge-matrices/{made.key}")

    with heading(t("ge.title"), t("ge.note")):
        if view.user.has(Role.strategist):
            view.bank_wide(ui.button(t("ge.declare"), on_click=declared)).props("unelevated no-caps")

    async def fetch() -> Page[GeMatrixView]:
        return await view.api.get("segmentation", "/v1/ge-matrices", Page[GeMatrixView], {"limit": 200})

    view.section(fetch, lambda found: _list(view, found.items, declared), height=240)


def _list(view: View, matrices: list[GeMatrixView], declared: Callable[[], Awaitable[None]]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not matrices:
            may = view.user.has(Role.strategist) and view.user.at_head_office
            action = (t("ge.declare"), declared) if may else None
            empty_state(t("ge.empty"), t("ge.empty.do"), action=action)
            return
        rows: list[list[Cell]] = [
            [
                two_lines(link(t.local(one.name), f"/ge-matrices/{one.key}"), one.key),
                _factors(view, one.attractiveness),
                _factors(view, one.competitiveness),
                whole(one.scored),
                moment(one.updated_at),
            ]
            for one in matrices
        ]
        names = ("matrix", "attractiveness", "competitiveness", "scored", "updated")
        html(table([t(f"ge.{name}") for name in names], rows, right=(3,)))


def _factors(view: View, factors: list[WeighedFactor]) -> Markup:
    return Markup("<br>").join(
        Markup('<span class="small">{} {:.0%}</span>').format(view.t.local(factor.name), factor.weight)
        for factor in factors
    )
