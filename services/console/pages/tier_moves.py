"""Up and down: the moves of a scheme with the figure and the threshold behind each."""

from collections.abc import Mapping

from markupsafe import Markup
from nicegui import ui

from services.console.api import Params
from services.console.formats import NOTHING, compact, moment
from services.console.view import View
from services.console.widgets.html import Cell, html, link, table, tag
from services.console.widgets.states import empty_state
from shared.contracts.base import Page
from shared.contracts.segmentation.tiers import (
    Move,
    TierChangeView,
    TierListState,
    TierListView,
    TierSchemeView,
)

_PAGE = 50
_TONES = {Move.up: "good", Move.entered: "accent", Move.down: "bad", Move.left: ""}
_ALL = ""


class MoveTable:
    """Moves that took effect, or those of the list that waits for a decision."""

    def __init__(self, view: View, scheme: TierSchemeView) -> None:
        self._view, self._scheme = view, scheme
        self._names = {tier.code: view.t.local(tier.name) for tier in scheme.tiers}
        self._waiting: TierListView | None = None
        self._found: Page[TierChangeView] = Page(items=[])

    def draw(self) -> None:
        t = self._view.t
        with ui.element("div").classes("filters"):
            self._which = self._choose(
                t("tiers.which"), {n: t(f"tiers.which.{n}") for n in ("done", "open")}, "done"
            )
            moves = {_ALL: t("tiers.all"), **{str(move): t.word("move", move) for move in Move}}
            self._move = self._choose(t("tiers.direction"), moves, _ALL)
            self._tier = self._choose(t("tiers.to"), {_ALL: t("tiers.all"), **self._names}, _ALL)
        reload = self._view.section(self._fetch, lambda _: self._rows(), height=300)
        for box in (self._which, self._move, self._tier):
            box.on_value_change(reload)

    def _choose(self, label: str, choices: Mapping[str, str], value: str) -> ui.select:
        box = ui.select(dict(choices), value=value, label=label)
        return box.props("outlined dense options-dense").style("min-width: 150px")

    async def _fetch(self) -> None:
        self._waiting = None
        if self._which.value == "open":
            params: Params = {"scheme": self._scheme.key, "state": str(TierListState.proposed), "limit": 1}
            lists = await self._view.api.get("segmentation", "/v1/tier-lists", Page[TierListView], params)
            if not lists.items:
                self._found = Page(items=[])
                return
            self._waiting = lists.items[0]
        self._found = await self._page(None)

    async def _page(self, cursor: str | None) -> Page[TierChangeView]:
        return await self._view.api.get(
            "segmentation",
            "/v1/tier-changes",
            Page[TierChangeView],
            {
                "scheme": self._scheme.key,
                "list_id": str(self._waiting.id) if self._waiting else None,
                "move": str(self._move.value) or None,
                "to_tier": str(self._tier.value) or None,
                "limit": _PAGE,
                "cursor": cursor,
            },
        )

    def _rows(self) -> None:
        t = self._view.t
        with ui.element("section").classes("panel"):
            if not self._found.items:
                empty_state(t("tiers.moves.empty"), t("tiers.moves.empty.do"))
                return
            shown = list(self._found.items)
            listed = html(self._table(shown))

            async def more() -> None:
                found = await self._view.attempt(self._page(self._found.next_cursor))
                if found is not None:
                    self._found = found
                    shown.extend(found.items)
                    listed.set_content(str(self._table(shown)))
                    button.set_visibility(found.next_cursor is not None)

            button = ui.button(t("more"), on_click=more).props("flat no-caps")
            button.set_visibility(self._found.next_cursor is not None)

    def _table(self, changes: list[TierChangeView]) -> Markup:
        t = self._view.t
        rows: list[list[Cell]] = [
            [
                link(str(one.customer_id)[-12:], f"/customers/{one.customer_id}"),
                one.org,
                tag(t.word("move", one.move), _TONES[one.move]),
                f"{self._name(one.from_tier)} → {self._name(one.to_tier)}",
                self._reason(one),
                moment(one.at),
            ]
            for one in changes
        ]
        names = ("customer", "org", "direction", "tiers", "why", "at")
        return table([t(f"tiers.column.{name}") for name in names], rows)

    def _name(self, code: str | None) -> str:
        return NOTHING if code is None else self._names.get(code, code)

    def _reason(self, one: TierChangeView) -> str:
        t = self._view.t
        if one.value is None:
            return t.word("tier_cause", one.cause)
        value = compact(one.value, t.language)
        if one.threshold is None:
            return t("tiers.why.value", feature=self._scheme.feature, value=value)
        sign = "<" if one.move == Move.down else "≥"
        threshold = compact(one.threshold, t.language)
        return t("tiers.why", feature=self._scheme.feature, value=value, sign=sign, threshold=threshold)
