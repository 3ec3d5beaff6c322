"""Tier desk: who stands where, who should move and why, approval, and tiers held by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, moment, whole
from services.console.frame import heading
from services.console.pages.tier_form import change, declare
from services.console.pages.tier_moves import MoveTable
from services.console.pages.tier_overrides import build_overrides
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import html, two_lines
from services.console.widgets.states import empty_state
from services.console.widgets.tabs import lazy_tabs
from services.console.widgets.tiles import kpi
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation.tiers import TierCounts, TierListView, TierSchemeView

_LISTS = 30
_POLL_SECONDS = 1.0
_PENDING = {"computing", "approved"}
Reload = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Desk:
    scheme: TierSchemeView
    counts: TierCounts
    lists: list[TierListView]


@page("/tiers", title="tiers.title", nav="tiers")
async def tiers_page(view: View) -> None:
    _Schemes(view).draw()


class _Schemes:
    """All schemes, of which one is looked at; a strategist declares another or changes this one."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._shown: str | None = None
        self._writes = view.user.has(Role.strategist)

    def draw(self) -> None:
        t = self._view.t
        with heading(t("tiers.title"), t("tiers.note")):
            if self._writes:
                button = ui.button(t("tiers.declare"), on_click=self._declare)
                self._view.bank_wide(button).props("unelevated no-caps")
        self._reload = self._view.section(self._fetch, lambda found: self._list(found.items), height=480)

    async def _fetch(self) -> Page[TierSchemeView]:
        return await self._view.api.get(
            "segmentation", "/v1/tier-schemes", Page[TierSchemeView], {"limit": 200}
        )

    def _list(self, schemes: list[TierSchemeView]) -> None:
        t = self._view.t
        if not schemes:
            with ui.element("section").classes("panel"):
                may = self._writes and self._view.user.at_head_office
                action = (t("tiers.declare"), self._declare) if may else None
                empty_state(t("tiers.empty"), t("tiers.empty.do"), action=action)
            return
        by_key = {one.key: one for one in schemes}
        with ui.element("div").classes("filters"):
            first = self._shown if self._shown in by_key else schemes[0].key
            chosen = ui.select({key: t.local(one.name) for key, one in by_key.items()}, value=first)
            chosen.props("outlined dense options-dense").props(f'aria-label="{t("tiers.scheme")}"')
            if self._writes:
                button = ui.button(
                    t("tiers.change"), on_click=lambda: self._change(by_key[str(chosen.value)])
                )
                self._view.bank_wide(button).props("outline no-caps")
        box = ui.element("div")

        def show() -> None:
            self._shown = str(chosen.value)
            box.clear()
            with box:
                _tabs(self._view, by_key[self._shown])

        chosen.on_value_change(show)
        show()

    async def _declare(self) -> None:
        await self._saved(await declare(self._view), "tiers.declared")

    async def _change(self, scheme: TierSchemeView) -> None:
        await self._saved(await change(self._view, scheme), "tiers.changed")

    async def _saved(self, scheme: TierSchemeView | None, said: str) -> None:
        if scheme is not None:
            self._shown = scheme.key
            self._view.done(self._view.t(said))
            await self._reload()


def _tabs(view: View, scheme: TierSchemeView) -> None:
    t = view.t
    lazy_tabs(
        {
            "lists": (t("tiers.lists"), lambda: _desk(view, scheme)),
            "moves": (t("tiers.moves"), lambda: MoveTable(view, scheme).draw()),
            "overrides": (t("tiers.overrides"), lambda: build_overrides(view, scheme)),
        }
    )


def _desk(view: View, scheme: TierSchemeView) -> None:
    key = segment(scheme.key)

    async def fetch() -> Desk:
        counts, lists = await asyncio.gather(
            view.api.get("segmentation", f"/v1/tier-schemes/{key}/counts", TierCounts),
            view.api.get(
                "segmentation", "/v1/tier-lists", Page[TierListView], {"scheme": scheme.key, "limit": _LISTS}
            ),
        )
        return Desk(scheme, counts, lists.items)

    async def again() -> None:
        await reload()

    reload = view.section(fetch, lambda desk: _draw(view, desk, again), height=400)


def _draw(view: View, desk: Desk, reload: Reload) -> None:
    t = view.t
    total = sum(desk.counts.tiers.values())
    with ui.element("div").classes("grid cols-5"):
        for tier in reversed(desk.scheme.tiers):
            count = desk.counts.tiers[tier.code]
            note = t("tiers.share", share=f"{count / total:.1%}" if total else NOTHING)
            kpi(t.local(tier.name), whole(count), note)
    if view.user.has(Role.strategist):
        with ui.element("div").classes("actions").style("margin: 12px 0"):
            for name, dry_run, look in (("try", True, "outline"), ("apply", False, "unelevated")):
                ask = partial(_apply, view, desk.scheme, reload, dry_run=dry_run)
                button = ui.button(t(f"tiers.{name}"), on_click=ask)
                view.bank_wide(button).props(f"{look} no-caps")
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("tiers.lists")))
        if not desk.lists:
            empty_state(t("tiers.lists.empty"), t("tiers.lists.empty.do"))
            return
        for entry in desk.lists:
            with ui.element("div").classes("actions").style("justify-content: space-between; padding: 8px 0"):
                html(_line(view, entry))
                _decide(view, entry, reload)
    if any(entry.state in _PENDING for entry in desk.lists):
        ui.timer(_POLL_SECONDS, reload, once=True)


def _line(view: View, entry: TierListView) -> Markup:
    t = view.t
    moves = " · ".join(f"{t.word('move', move)} {count:,}" for move, count in entry.counts.items())
    first = Markup("<b>{}</b> {} {}").format(
        t.word("tier_cause", entry.cause), state_tag(t, entry.state), moves or t("tiers.nobody_moves")
    )
    parts = [moment(entry.made_at), " → ".join(name for name in (entry.made_by, entry.decided_by) if name)]
    if entry.held is not None:
        parts.append(t("tiers.held", held=whole(entry.held), pinned=whole(entry.pinned)))
    parts += [words for words in (entry.comment, entry.problem) if words]
    return two_lines(first, " · ".join(parts))


async def _apply(view: View, scheme: TierSchemeView, reload: Reload, *, dry_run: bool) -> None:
    path = f"/v1/tier-schemes/{segment(scheme.key)}:apply"
    asked = await view.attempt(view.api.post("segmentation", path, TierListView, {"dry_run": dry_run}))
    if asked is not None:
        view.done(view.t("tiers.computing"))
        await reload()


def _decide(view: View, entry: TierListView, reload: Reload) -> None:
    if entry.state != "proposed" or not view.user.has(Role.approver):
        return
    t = view.t

    async def act(verb: str) -> None:
        title = t(f"tiers.{verb}")
        text, field = t(f"tiers.{verb}.confirm", n=whole(sum(entry.counts.values()))), t("tiers.comment")
        comment = await confirm(t, title=title, text=text, field=field, required=verb == "reject")
        if comment is None:
            return
        path = f"/v1/tier-lists/{segment(entry.id)}:{verb}"
        if await view.attempt(view.api.post("segmentation", path, TierListView, {"comment": comment})):
            view.done(t(f"tiers.{verb}.done"))
            await reload()

    with ui.element("div"):
        for verb, look in (("reject", "flat"), ("approve", "unelevated")):
            button = ui.button(t(f"tiers.{verb}"), on_click=lambda what=verb: act(what))
            view.bank_wide(button).props(f"{look} no-caps dense padding='4px 14px'")
