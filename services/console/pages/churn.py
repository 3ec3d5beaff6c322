"""Churn 流失预警: whom we may lose and why, how good the model is, whom to win back, life-cycle stages."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, day, exact_money, moment, percent, whole
from services.console.frame import heading
from services.console.pages.churn_quality import build_quality
from services.console.pages.churn_stages import build_stages
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.html import Cell, bar, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from services.console.widgets.tabs import lazy_tabs
from services.console.widgets.tiles import kpi
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation.churn_warnings import (
    ChurnWarningView,
    Reason,
    WarningOutcome,
    WarningState,
    WarningSummary,
    WinBackView,
)

_PAGE = 25
_CHOICES: dict[str, tuple[WarningState, ...]] = {
    "active": (WarningState.open, WarningState.acknowledged),
    "open": (WarningState.open,),
    "acknowledged": (WarningState.acknowledged,),
    "closed": (WarningState.closed, WarningState.lapsed),
}
_WORKERS = (Role.strategist, Role.branch_head, Role.manager)
Reload = Callable[[], Awaitable[None]]


@dataclass
class Work:
    """The part of a list that is shown, and where it goes on."""

    items: list[ChurnWarningView] = field(default_factory=list)
    next_cursor: str | None = None
    summary: WarningSummary | None = None


@page("/churn", title="churn.title", nav="churn")
async def churn_page(view: View) -> None:
    t = view.t
    with heading(t("churn.title"), t("churn.note")):
        pass
    lazy_tabs(
        {
            "warnings": (t("churn.warnings"), lambda: _Desk(view).draw()),
            "quality": (t("churn.quality"), lambda: build_quality(view)),
            "win_back": (t("churn.win_back"), lambda: _build_win_back(view)),
            "stages": (t("churn.stages"), lambda: build_stages(view)),
        }
    )


@dataclass
class _Desk:
    view: View
    work: Work = field(default_factory=Work)

    def draw(self) -> None:
        t = self.view.t
        with ui.element("div").classes("filters"):
            self.state = ui.select({name: t(f"churn.state.{name}") for name in _CHOICES}, value="active")
            self.state.props(f'outlined dense options-dense aria-label="{t("column.state")}"')
            self.manager = ui.input(t("column.manager")).props("outlined dense clearable maxlength=64")
            self.org = ui.input(t("churn.org")).props("outlined dense clearable maxlength=200")
        self.reload = self.view.section(self._first, self._draw_list, height=380)
        self.state.on_value_change(self.reload)
        for box in (self.manager, self.org):
            box.on("keydown.enter", self.reload)
            box.on("clear", self.reload)

    def _filters(self) -> dict[str, str | int | list[str] | None]:
        return {
            "state": [str(each) for each in _CHOICES[str(self.state.value)]],
            "manager": str(self.manager.value or "").strip() or None,
            "org": str(self.org.value or "").strip() or None,
        }

    async def _first(self) -> Work:
        filters = self._filters()
        summary = await self.view.api.get(
            "segmentation", "/v1/churn-warnings/summary", WarningSummary, filters
        )
        found = await self._page(None)
        self.work = Work(found.items, found.next_cursor, summary)
        return self.work

    async def _page(self, cursor: str | None) -> Page[ChurnWarningView]:
        params = {**self._filters(), "limit": _PAGE, "cursor": cursor}
        return await self.view.api.get("segmentation", "/v1/churn-warnings", Page[ChurnWarningView], params)

    def _draw_list(self, work: Work) -> None:
        t = self.view.t
        if not work.items:
            with ui.element("section").classes("panel"):
                empty_state(t("churn.empty"), t("churn.empty.do"))
            return
        with ui.element("div").classes("grid cols-4"):
            for each in work.summary.states if work.summary else []:
                note = t("churn.at_stake.note", money=exact_money(each.at_stake, "CNY"))
                kpi(t.word("state", each.state), whole(each.warnings), note, accent=each.state == "open")
        with ui.element("section").classes("panel"):
            rows = ui.element("div").classes("stack")
            with rows:
                for warning in work.items:
                    self._line(warning)

            async def more() -> None:
                found = await self.view.attempt(self._page(work.next_cursor))
                if found is not None:
                    work.next_cursor = found.next_cursor
                    button.set_visibility(found.next_cursor is not None)
                    with rows:
                        for warning in found.items:
                            self._line(warning)

            button = ui.button(t("more"), on_click=more).props("flat no-caps")
            button.set_visibility(work.next_cursor is not None)

    def _line(self, warning: ChurnWarningView) -> None:
        style = "justify-content: space-between; padding: 10px 0; gap: 24px; flex-wrap: nowrap"
        with ui.element("div").classes("actions").style(style):
            html(_words(self.view, warning))
            with ui.element("div").classes("actions").style("flex-wrap: nowrap"):
                self._actions(warning)

    def _actions(self, warning: ChurnWarningView) -> None:
        t = self.view.t
        if warning.state not in _CHOICES["active"] or not self.view.user.has(*_WORKERS):
            return
        if warning.state is WarningState.open:
            take = partial(self._post, warning, "acknowledge", None)
            ui.button(t("churn.acknowledge"), on_click=take).props("outline no-caps dense")
        with ui.dropdown_button(t("churn.close"), auto_close=True).props("flat no-caps dense"):
            for outcome in WarningOutcome:
                close = partial(self._post, warning, "close", outcome)
                ui.item(t.word("warning_outcome", outcome), on_click=close)

    async def _post(self, warning: ChurnWarningView, verb: str, outcome: WarningOutcome | None) -> None:
        path = f"/v1/churn-warnings/{warning.id}:{verb}"
        body = {"outcome": str(outcome)} if outcome else None
        found = await self.view.attempt(self.view.api.post("segmentation", path, ChurnWarningView, body))
        if found is not None:
            self.view.done(self.view.t("churn.done", state=self.view.t.word("state", found.state)))
            await self.reload()


def _words(view: View, warning: ChurnWarningView) -> Markup:
    t = view.t
    who = link(str(warning.customer_id)[-8:], f"/customers/{warning.customer_id}")
    first = Markup("{} <b>{}</b> {} {} {}").format(
        who,
        percent(warning.probability),
        exact_money(warning.at_stake, "CNY"),
        state_tag(t, warning.state),
        t.word("warning_outcome", warning.outcome) if warning.outcome else "",
    )
    reasons = Markup(" ").join(_reason(view, each) for each in warning.reasons)
    parts = [
        warning.primary_manager or warning.org,
        t("churn.runs", n=warning.runs),
        moment(warning.raised_at),
    ]
    return two_lines(first + bar(warning.probability), Markup("{}<br>{}").format(reasons, " · ".join(parts)))


def _reason(view: View, reason: Reason) -> Markup:
    value = NOTHING if reason.value is None else f"{reason.value:,.2f}".rstrip("0").rstrip(".")
    return tag(f"{view.t.local(reason.name)} {value}", "warn")


def _build_win_back(view: View) -> None:
    async def fetch() -> Page[WinBackView]:
        return await view.api.get("segmentation", "/v1/win-back", Page[WinBackView], {"limit": 100})

    view.section(fetch, lambda found: _win_back(view, found), height=320)


def _win_back(view: View, found: Page[WinBackView]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<p class='muted small'>{}</p>").format(t("churn.win_back.note")))
        if not found.items:
            empty_state(t("churn.win_back.empty"), t("churn.win_back.empty.do"))
            return
        rows: list[list[Cell]] = [
            [
                link(str(each.customer_id)[-8:], f"/customers/{each.customer_id}"),
                each.primary_manager or each.org,
                exact_money(each.best_assets, "CNY"),
                day(each.best_on),
                exact_money(each.assets, "CNY"),
                day(each.last_activity_on),
            ]
            for each in found.items
        ]
        names = ("customer", "manager", "best", "best_on", "assets", "last_activity")
        html(table([t(f"churn.column.{name}") for name in names], rows, right=(2, 4)))
