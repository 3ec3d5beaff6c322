"""One GE matrix: the board of nine cells, the weights behind it, and scoring customers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import compact, whole
from services.console.frame import heading
from services.console.pages.ge_form import change
from services.console.pages.ge_scoring import build_scoring
from services.console.pages.ge_weights import build_weights
from services.console.view import View, page
from services.console.widgets.charts import chart
from services.console.widgets.html import html, link, tag
from services.console.widgets.matrix_charts import Bubble, bubble_tip, matrix
from services.console.widgets.states import empty_state
from services.console.widgets.tabs import lazy_tabs
from services.console.widgets.tiles import kpi
from shared.auth import Role
from shared.contracts.segmentation.ge_matrix import CellView, GeMatrixView, MatrixCells

Reload = Callable[[], Awaitable[None]]
_TONES = {"A": "good", "B": "warn", "C": ""}
_PER_CELL = 200
_LISTED = 6


@dataclass(frozen=True)
class Board:
    matrix: GeMatrixView
    cells: MatrixCells


@page("/ge-matrices/{key}", title="ge.title", nav="ge-matrices")
async def ge_matrix_page(view: View, key: str) -> None:
    path = f"/v1/ge-matrices/{segment(key)}"

    async def fetch() -> GeMatrixView:
        return await view.api.get("segmentation", path, GeMatrixView)

    async def again() -> None:
        await reload()

    reload = view.section(fetch, lambda found: _draw(view, found, again), height=480)


def _draw(view: View, found: GeMatrixView, reload: Reload) -> None:
    t = view.t
    with heading(
        t.local(found.name), found.description or found.key, crumb=link(t("ge.title"), "/ge-matrices")
    ):
        if view.user.has(Role.strategist):
            button = ui.button(t("ge.change"), on_click=lambda: _change(view, found, reload))
            view.bank_wide(button).props("outline no-caps")
    boards: list[Reload] = []

    async def changed() -> None:
        """Scores and weights move customers on the board, which was drawn first."""
        for redraw in boards:
            await redraw()

    panels = {"board": (t("ge.board"), lambda: boards.append(_board_tab(view, found.key)))}
    if view.user.has(Role.strategist):
        panels["weights"] = (t("ge.weights"), lambda: build_weights(view, found.key, changed))
    if view.user.has(Role.strategist, Role.branch_head, Role.manager):
        panels["score"] = (t("ge.score"), lambda: build_scoring(view, found, changed))
    lazy_tabs(panels)


async def _change(view: View, found: GeMatrixView, reload: Reload) -> None:
    # What is shown may be older than weights saved since: a change is made to what is stored now.
    path = f"/v1/ge-matrices/{segment(found.key)}"
    stored = await view.attempt(view.api.get("segmentation", path, GeMatrixView))
    if stored is not None and await change(view, stored):
        view.done(view.t("ge.changed"))
        await reload()


def _board_tab(view: View, key: str) -> Reload:
    path = f"/v1/ge-matrices/{segment(key)}"

    async def fetch() -> Board:
        found, cells = await asyncio.gather(
            view.api.get("segmentation", path, GeMatrixView),
            view.api.get("segmentation", f"{path}/cells", MatrixCells, {"limit": _PER_CELL}),
        )
        return Board(found, cells)

    return view.section(fetch, lambda board: _board(view, board), height=460)


def _board(view: View, board: Board) -> None:
    t, cells = view.t, board.cells
    if not cells.customers:
        with ui.element("section").classes("panel"):
            empty_state(t("ge.nobody"), t("ge.nobody.do"))
        return
    with ui.element("div").classes("grid cols-4"):
        kpi(t("ge.customers"), whole(cells.customers), t("ge.customers.note"))
        for name in "ABC":
            kpi(t("ge.class", name=name), whole(cells.classes[name]), t(f"ge.class.{name}"))
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("ge.picture")))
        bubbles = [bubble for cell in cells.cells for bubble in _bubbles(view, cell)]
        cutoffs = board.matrix.cutoffs
        options = matrix(bubbles, cutoffs.low, cutoffs.high, t("ge.competitiveness"), t("ge.attractiveness"))
        chart(options, height=420, label=t("ge.picture"))
    with ui.element("div").classes("grid cols-3"):
        for cell in cells.cells:
            with ui.element("section").classes("panel"):
                html(_cell(view, cell))


def _bubbles(view: View, cell: CellView) -> list[Bubble]:
    t = view.t
    return [
        Bubble(
            one.position.attractiveness_score,
            one.position.competitiveness_score,
            one.position.customer_class,
            one.value,
            bubble_tip(
                str(one.customer_id)[-12:],
                [
                    f"{t('ge.attractiveness')} {one.position.attractiveness_score:.2f}",
                    f"{t('ge.competitiveness')} {one.position.competitiveness_score:.2f}",
                    t("ge.value", value=compact(one.value, t.language)),
                ],
            ),
        )
        for one in cell.customers
    ]


def _cell(view: View, cell: CellView) -> Markup:
    t = view.t
    head = Markup("<h3>{} {}</h3><p class='muted small'>{}</p>").format(
        tag(f"{cell.customer_class} · {t.word('play', cell.strategy.play)}", _TONES[cell.customer_class]),
        t("ge.count", n=whole(cell.count)),
        t("ge.cell", a=t.word("band", cell.attractiveness), s=t.word("band", cell.competitiveness)),
    )
    rows = Markup().join(
        Markup("<li>{} <span class='muted'>{}</span></li>").format(
            link(str(one.customer_id)[-12:], f"/customers/{one.customer_id}"),
            compact(one.value, t.language),
        )
        for one in cell.customers[:_LISTED]
    )
    return head + Markup("<p>{}</p><ul class='small'>{}</ul>").format(t.local(cell.strategy.text), rows)
