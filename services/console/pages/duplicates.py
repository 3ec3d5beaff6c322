"""Duplicates desk: who may be one person, what speaks for it, merging, and taking a merge back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, moment, percent, whole
from services.console.frame import heading
from services.console.pages.duplicate_pair import PairPanel
from services.console.view import View, page
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import html, link, tag
from services.console.widgets.states import empty_state
from services.console.widgets.tabs import lazy_tabs
from shared.contracts.base import JobView, Page
from shared.contracts.customer.identity import DuplicateView, MergeSummary, UndoResult

_PAGE = 25
_STATES = ("open", "dismissed")


@dataclass
class Listed:
    pairs: list[DuplicateView] = field(default_factory=list)
    next_cursor: str | None = None
    state: str = "open"


@page("/duplicates", title="duplicates.title", nav="duplicates")
async def duplicates_page(view: View) -> None:
    t = view.t
    with heading(t("duplicates.title"), t("duplicates.note")):
        ui.button(t("duplicates.find"), on_click=lambda: _find(view)).props("outline no-caps")
    lazy_tabs(
        {
            "pairs": (t("duplicates.pairs"), lambda: _desk(view)),
            "merges": (t("duplicates.merges"), lambda: _merges(view)),
        }
    )


async def _find(view: View) -> None:
    job = await view.attempt(view.api.post("customer", "/v1/duplicates:find", JobView))
    if job is not None:
        view.done(view.t("duplicates.finding"))


def _desk(view: View) -> None:
    t, listed = view.t, Listed()
    with ui.element("div").classes("filters"):
        chosen = ui.select({name: t(f"duplicates.{name}") for name in _STATES}, value=listed.state)
        chosen.props("outlined dense options-dense").props(f'aria-label="{t("column.state")}"')
    with ui.element("div").classes("grid cols-wide"):
        with ui.element("div"):
            reload = view.section(
                lambda: _fetch(view, listed), lambda _: _draw(view, listed, panel), height=360
            )
        side = ui.element("section").classes("panel beside").props('aria-live="polite"')
    panel = PairPanel(view, side, reload)

    async def show() -> None:
        listed.state = str(chosen.value)
        await reload()

    chosen.on_value_change(show)


async def _fetch(view: View, listed: Listed) -> None:
    found = await _page(view, listed.state, None)
    listed.pairs, listed.next_cursor = found.items, found.next_cursor


async def _page(view: View, state: str, cursor: str | None) -> Page[DuplicateView]:
    return await view.api.get(
        "customer",
        "/v1/duplicates",
        Page[DuplicateView],
        {"state": state, "limit": _PAGE, "cursor": cursor},
    )


def _draw(view: View, listed: Listed, panel: PairPanel) -> None:
    t = view.t
    panel.close()
    if not listed.pairs:
        with ui.element("div").classes("panel"):
            empty_state(t("duplicates.empty"), t("duplicates.empty.do"))
        return
    with ui.element("div").classes("stack").style("gap: 8px") as rows:
        for pair in listed.pairs:
            _entry(view, pair, panel)

    async def more() -> None:
        found = await view.attempt(_page(view, listed.state, listed.next_cursor))
        if found is None:
            return
        listed.next_cursor = found.next_cursor
        button.set_visibility(found.next_cursor is not None)
        with rows:
            for pair in found.items:
                _entry(view, pair, panel)

    button = ui.button(t("more"), on_click=more).props("flat no-caps")
    button.set_visibility(listed.next_cursor is not None)


def _entry(view: View, pair: DuplicateView, panel: PairPanel) -> None:
    t = view.t
    button = ui.element("button").classes("pick").props('type="button"')
    button.on("click", lambda: panel.open(pair))
    with button:
        names = " ⇄ ".join(one.name or NOTHING for one in pair.customers)
        html(Markup("<b>{}</b>").format(names))
        tone = "bad" if pair.score >= 0.9 else "warn"
        html(tag(percent(pair.score, 0), tone)).classes("pick-state")
        agreeing = t("comma").join(
            t.word("match", one.key) for one in pair.evidence if one.verdict == "agree"
        )
        html(Markup("{} · {}").format(t("duplicates.same", keys=agreeing), moment(pair.found_at)), tag="span")


def _merges(view: View) -> None:
    async def fetch() -> Page[MergeSummary]:
        return await view.api.get("customer", "/v1/merges", Page[MergeSummary], {"limit": 100})

    reload = view.section(fetch, lambda found: _ledger(view, found.items, undo), height=280)

    async def undo(merge: MergeSummary) -> None:
        t = view.t
        title, text = t("duplicates.undo"), t("duplicates.undo.confirm", n=merge.members)
        reason = await confirm(t, title=title, text=text, field=t("action.reason"), required=True)
        if reason is None:
            return
        path = f"/v1/merges/{segment(merge.id)}:undo"
        done = await view.attempt(view.api.post("customer", path, UndoResult, {"reason": reason}))
        if done is not None:
            view.done(t("duplicates.undone", n=done.separated))
            await reload()


def _ledger(view: View, merges: list[MergeSummary], undo: Callable[[MergeSummary], Awaitable[None]]) -> None:
    t = view.t
    if not merges:
        with ui.element("div").classes("panel"):
            empty_state(t("duplicates.merges.empty"), t("duplicates.merges.empty.do"))
        return
    with ui.element("div").classes("stack").style("gap: 8px"):
        for merge in merges:
            with ui.element("div").classes("panel row"):
                state = (
                    tag(t("duplicates.taken_back", at=moment(merge.undone_at)))
                    if merge.undone_at
                    else tag(t("duplicates.standing"), "good")
                )
                html(
                    Markup("<b>{}</b> {}<div class='muted small'>{} · {} · {}</div>").format(
                        link(t("duplicates.survivor"), f"/customers/{merge.survivor}"),
                        state,
                        t("duplicates.members", n=whole(merge.members)),
                        f"{moment(merge.merged_at)} {merge.merged_by}",
                        merge.reason or NOTHING,
                    )
                )
                if merge.undone_at is None:
                    ui.button(t("duplicates.undo"), on_click=lambda one=merge: undo(one)).props(
                        "outline no-caps dense padding='4px 14px'"
                    )
