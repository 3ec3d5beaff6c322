"""Strategies: what campaigns are made for. The list, and a new one."""

from collections.abc import Mapping

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, day, exact_money, percent
from services.console.frame import heading
from services.console.i18n import Texts
from services.console.view import View, page
from services.console.widgets.dialogs import form
from services.console.widgets.fields import LocalField, Places, text_field
from services.console.widgets.html import Cell, bar, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign.strategies import StrategyState, StrategySummary, StrategyView

_PAGE = 200
_TONES: Mapping[StrategyState, str] = {"draft": "", "active": "good", "closed": ""}
_COLUMNS = ("strategy", "state", "org", "period", "budget", "completeness")


def strategy_tag(t: Texts, state: StrategyState) -> Markup:
    return tag(t(f"strategies.state.{state}"), _TONES[state])


@page("/strategies", title="strategies.title", nav="strategies")
async def strategies_page(view: View) -> None:
    t = view.t

    async def write() -> None:
        made = await _Form(view).ask()
        if made is not None:
            ui.navigate.to(f"/strategies/{segment(made.key)}")

    async def fetch() -> Page[StrategySummary]:
        return await view.api.get("campaign", "/v1/strategies", Page[StrategySummary], {"limit": _PAGE})

    with heading(t("strategies.title"), t("strategies.note")):
        if view.user.has(Role.strategist):
            ui.button(t("strategies.write"), on_click=write).props("unelevated no-caps")
    view.section(fetch, lambda found: _draw(view, found), height=320)


def _draw(view: View, found: Page[StrategySummary]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not found.items:
            empty_state(t("strategies.empty"), t("strategies.empty.do"))
            return
        html(
            table(
                [t(f"strategies.column.{name}") for name in _COLUMNS],
                [_row(t, each) for each in found.items],
                right=(4,),
            )
        )
        if found.next_cursor:
            html(Markup("<p class='muted small'>{}</p>").format(t("strategies.more", n=_PAGE)))


def _row(t: Texts, each: StrategySummary) -> list[Cell]:
    return [
        two_lines(link(t.local(each.name), f"/strategies/{segment(each.key)}"), f"{each.key}@{each.version}"),
        strategy_tag(t, each.state),
        each.org,
        f"{day(each.start)} – {day(each.end)}" if each.start else NOTHING,
        exact_money(each.budget.amount, each.budget.currency) if each.budget else NOTHING,
        Markup("{}{}").format(percent(each.completeness, 0), bar(each.completeness)),
    ]


class _Form:
    """Begins a draft; what it says is written in the studio, step by step."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def ask(self) -> StrategyView | None:
        t = self._view.t
        return await form(
            t,
            title=t("strategies.write"),
            note=t("strategies.write.note"),
            draw=self._fields,
            save=self._save,
        )

    def _fields(self) -> None:
        t = self._view.t
        self._key = text_field(t("field.key"))
        self._name = LocalField(t, t("field.name"))
        self._org = text_field(t("strategies.column.org"), self._view.user.org)

    async def _save(self) -> StrategyView | None:
        body: Mapping[str, object] = {
            "key": str(self._key.value or "").strip(),
            "name": self._name.body(),
            "org": str(self._org.value or "").strip(),
        }
        places: Places = {"/key": self._key, **self._name.places("/name"), "/org": self._org}
        return await self._view.attempt(
            self._view.api.post("campaign", "/v1/strategies", StrategyView, body), places
        )
