"""Handover desk: plan who takes over a portfolio, check that nobody is left alone, order it, take it back."""

from collections.abc import Awaitable, Callable
from typing import get_args

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import day, whole
from services.console.frame import heading
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.dialogs import confirm
from services.console.widgets.fields import listed
from services.console.widgets.html import Cell, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.clock import today
from shared.contracts.base import Page
from shared.contracts.customer.handover import (
    HandoverOrdered,
    HandoverOutlook,
    HandoverPlan,
    HandoverReason,
    HandoverRequest,
    HandoverView,
    Receiver,
)

_REASONS: tuple[HandoverReason, ...] = get_args(HandoverReason)
Reload = Callable[[], Awaitable[None]]


@page("/handovers", title="handovers.title", nav="handovers")
async def handovers_page(view: View) -> None:
    t = view.t
    with heading(t("handovers.title"), t("handovers.note")):
        pass
    form = HandoverForm(view)
    form.draw()

    async def fetch() -> Page[HandoverView]:
        return await view.api.get("customer", "/v1/handovers", Page[HandoverView], {"limit": 50})

    async def again() -> None:
        await reload()

    reload = view.section(fetch, lambda found: _ledger(view, found.items, again), height=260)
    form.ordered = again


class HandoverForm:
    """Who leaves, who takes over and when; the dry run shows the load and every gap before anything moves."""

    ordered: Reload

    def __init__(self, view: View) -> None:
        self._view = view

    def draw(self) -> None:
        t = self._view.t
        with ui.element("section").classes("panel").style("margin-bottom: 18px"):
            html(Markup("<h2>{}</h2>").format(t("handovers.plan")))
            with ui.element("div").classes("filters"):
                self._staff = ui.input(t("handovers.staff")).props("outlined dense autocomplete=off")
                reasons = {one: t.word("handover_reason", one) for one in _REASONS}
                self._reason = ui.select(reasons, value="leave", label=t("action.reason"))
                self._reason.props("outlined dense options-dense").style("min-width: 130px")
                self._receivers = ui.input(t("handovers.receivers")).props("outlined dense")
                self._receivers.style("min-width: 320px")
                self._on = ui.input(t("handovers.on"), value=today().isoformat())
                self._on.props("outlined dense type=date")
            self._stay = ui.checkbox(t("handovers.stay"), value=True)
            with ui.element("div").classes("actions"):
                ui.button(t("handovers.try"), on_click=self._try).props("outline no-caps")
                ui.button(t("handovers.order"), on_click=self._order).props("unelevated no-caps")
            self._outlook = ui.element("div").classes("stack").props('aria-live="polite"')

    async def _try(self) -> None:
        found = await self._send(dry_run=True)
        if found is not None:
            self._show(found.outlook)

    async def _order(self) -> None:
        t = self._view.t
        title, text = (
            t("handovers.order"),
            t("handovers.order.confirm", staff=self._staff.value, day=self._on.value),
        )
        if await confirm(t, title=title, text=text) is None:
            return
        found = await self._send(dry_run=False)
        if found is not None:
            self._show(found.outlook)
            self._view.done(t("handovers.ordered"))
            await self.ordered()

    async def _send(self, *, dry_run: bool) -> HandoverOrdered | None:
        staff = str(self._staff.value or "").strip()
        if not staff:
            ui.notify(self._view.t("handovers.who"), type="warning")
            return None
        codes = listed(self._receivers.value)
        plan = HandoverPlan(
            strategy="receivers" if codes else "backup_takes_over",
            receivers=[Receiver(staff=code) for code in codes],
        )
        body = HandoverRequest(
            dry_run=dry_run,
            reason=self._reason.value,
            effective_on=self._on.value or None,
            plan=plan,
            keep_in_branch=bool(self._stay.value),
        )
        path = f"/v1/staff/{segment(staff)}:handover"
        return await self._view.attempt(self._view.api.post("customer", path, HandoverOrdered, body))

    def _show(self, outlook: HandoverOutlook) -> None:
        self._outlook.clear()
        with self._outlook:
            html(_outlook(self._view, outlook))


def _outlook(view: View, outlook: HandoverOutlook) -> Markup:
    t = view.t
    verdict = (
        tag(t("handovers.gaps", n=outlook.violations), "bad")
        if outlook.violations
        else tag(t("handovers.continuous"), "good")
    )
    summary = t(
        "handovers.summary",
        customers=whole(outlook.customers),
        primary=whole(outlook.as_primary),
        backup=whole(outlook.as_backup),
        moving=whole(outlook.changing_branch),
    )
    loads: list[list[Cell]] = [
        [
            one.staff,
            whole(one.as_primary),
            whole(one.as_backup),
            whole(one.load_before),
            whole(one.load_after),
        ]
        for one in outlook.receivers
    ]
    names = [t(f"handovers.{name}") for name in ("receiver", "as_primary", "as_backup", "before", "after")]
    gaps = Markup().join(
        Markup('<p class="bad small">{}: {}</p>').format(
            link(str(gap.customer_id)[:8], f"/customers/{gap.customer_id}"), gap.detail
        )
        for gap in outlook.first_violations[:20]
    )
    return Markup("<p>{} {}</p>{}{}").format(verdict, summary, gaps, table(names, loads, right=(1, 2, 3, 4)))


def _ledger(view: View, handovers: list[HandoverView], reload: Reload) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("handovers.ledger")))
        if not handovers:
            empty_state(t("handovers.empty"), t("handovers.empty.do"))
            return
        for one in handovers:
            with ui.element("div").classes("actions").style("justify-content: space-between; padding: 8px 0"):
                books = t(
                    "handovers.books", done=whole(one.done), all=whole(one.customers), left=whole(one.left)
                )
                why = t.word("handover_reason", one.reason)
                html(
                    two_lines(
                        Markup("<b>{}</b> {}").format(one.staff, state_tag(t, one.state)),
                        f"{day(one.effective_on)} · {why} · {books} {one.blocked or ''}",
                    )
                )
                _decide(view, one, reload)


def _decide(view: View, one: HandoverView, reload: Reload) -> None:
    """A planned handover can be called off, a finished one taken back."""
    verb = {"planned": "cancel", "done": "undo"}.get(one.state)
    if verb is None:
        return
    t = view.t

    async def act() -> None:
        if await confirm(t, title=t(f"handovers.{verb}"), text=t(f"handovers.{verb}.confirm")) is None:
            return
        path = f"/v1/handovers/{segment(one.id)}:{verb}"
        if await view.attempt(view.api.post("customer", path, HandoverView)) is not None:
            await reload()

    ui.button(t(f"handovers.{verb}"), on_click=act).props("outline no-caps dense padding='4px 14px'")
