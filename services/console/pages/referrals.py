"""Referral desk 转介台: what I have handed on, what is handed to me, and what became of it."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, exact_money, moment, percent
from services.console.frame import heading
from services.console.pages.referral_actions import draw_actions
from services.console.pages.referral_form import Lead, ask_referral
from services.console.view import View, page
from services.console.widgets.html import Cell, facts, html, link, tag
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign.referrals import ReferralView
from shared.contracts.customer import CustomerView

_PAGE = 25
_PARTIES = (Role.manager, Role.branch_head)
_STATES = ("made", "accepted", "won", "lost", "rejected", "lapsed", "withdrawn")
_SIDES = ("received", "made")
_TONES = {"made": "warn", "accepted": "accent", "won": "good", "lapsed": "bad", "rejected": "bad"}


@page("/referrals", title="referrals.title", nav="referrals")
async def referrals_page(
    view: View, customer: str = "", category: str = "", core: str = "", role: str = ""
) -> None:
    t, desk = view.t, _Desk(view)
    lead = Lead(customer, category, core, role)

    async def make() -> None:
        if await ask_referral(view, lead) is not None:
            await desk.reload()

    with heading(t("referrals.title"), t("referrals.subtitle")):
        if view.user.has(*_PARTIES):
            ui.button(t("referrals.make"), on_click=make).props("unelevated no-caps")
    desk.draw_filters()
    desk.reload = view.section(desk.fetch, lambda _: desk.draw(), height=420)
    if customer and view.user.has(*_PARTIES):
        ui.timer(0.1, make, once=True)


class _Desk:
    """The list by side, state and lateness, newest first."""

    reload: Callable[[], Awaitable[None]]

    def __init__(self, view: View) -> None:
        self._view = view
        self._found: list[ReferralView] = []
        self._names: dict[UUID, str | None] = {}
        self._next_cursor: str | None = None

    def draw_filters(self) -> None:
        t = self._view.t
        with ui.element("div").classes("filters"):
            sides = {"": t("referrals.side.all"), **{one: t(f"referrals.side.{one}") for one in _SIDES}}
            self._side = ui.select(sides, value="", label=t("referrals.side"), on_change=self._again)
            states = {"": t("referrals.state.all"), **{one: t(f"referral_state.{one}") for one in _STATES}}
            self._state = ui.select(states, value="", label=t("referrals.state"), on_change=self._again)
            for field in (self._side, self._state):
                field.props("outlined dense options-dense").style("min-width: 180px")
            self._overdue = ui.checkbox(t("referrals.overdue.only"), on_change=self._again)

    async def _again(self) -> None:
        await self.reload()

    async def fetch(self) -> None:
        found = await self._page(None)
        self._found, self._next_cursor = found.items, found.next_cursor

    async def _page(self, cursor: str | None) -> Page[ReferralView]:
        found = await self._view.api.get(
            "campaign",
            "/v1/referrals",
            Page[ReferralView],
            {
                "limit": _PAGE,
                "cursor": cursor,
                "side": str(self._side.value) or None,
                "state": str(self._state.value) or None,
                "overdue": "true" if self._overdue.value else None,
            },
        )
        unknown = {one.customer_id for one in found.items} - self._names.keys()
        named = await asyncio.gather(*(_name(self._view, one) for one in unknown))
        self._names.update(zip(unknown, named, strict=True))
        return found

    def draw(self) -> None:
        t = self._view.t
        if not self._found:
            with ui.element("div").classes("panel"):
                empty_state(t("referrals.empty"), t("referrals.empty.do"))
            return
        with ui.element("div").classes("stack") as listed:
            for one in self._found:
                self._entry(one)
        if self._next_cursor is None:
            return

        async def more() -> None:
            found = await self._view.attempt(self._page(self._next_cursor))
            if found is None:
                return
            self._next_cursor = found.next_cursor
            button.set_visibility(found.next_cursor is not None)
            with listed:
                for one in found.items:
                    self._entry(one)

        button = ui.button(t("more"), on_click=more).props("flat no-caps")

    def _entry(self, one: ReferralView) -> None:
        t = self._view.t
        with ui.element("section").classes("panel").props(f'data-referral="{one.id}"'):
            marks = tag(t.word("referral_state", one.state), _TONES.get(one.state, ""))
            if one.overdue:
                marks += Markup(" ") + tag(t("referrals.overdue"), "bad")
            if one.lead:
                marks += Markup(" ") + tag(t.word("lead_role", one.lead.role), "accent")
            head = Markup('<div class="panel-head"><h2>{}</h2><div>{}</div></div>')
            name = self._names[one.customer_id]
            title = link(name, f"/customers/{one.customer_id}") if name else t("referrals.other_branch")
            html(head.format(title, marks))
            html(facts(_facts(self._view, one)))
            draw_actions(self._view, one, self.reload)


async def _name(view: View, customer_id: UUID) -> str | None:
    """Masked; a customer of another branch has no name here."""
    path = f"/v1/customers/{segment(customer_id)}"
    found = await view.optional(view.api.get("customer", path, CustomerView))
    return (found.name or NOTHING) if found else None


def _facts(view: View, one: ReferralView) -> list[tuple[str, Cell]]:
    t = view.t
    needs = [one.offer, t.word("category", one.category) if one.category else None, one.note]
    pairs: list[tuple[str, Cell]] = [
        (t("referrals.need"), " · ".join(part for part in needs if part) or NOTHING),
        (t("referrals.by"), f"{one.referrer} · {one.from_org} · {t(f'referral_line.{one.from_line}')}"),
        (
            t("referrals.to"),
            f"{one.receiver or t('referrals.anybody')} · {one.to.org} · {t(f'referral_line.{one.to.line}')}",
        ),
        (t("referrals.credit"), f"{percent(one.credit.referrer, 2)} / {percent(one.credit.receiver, 2)}"),
        (t("referrals.due"), moment(one.due_at)),
        (t("referrals.made_at"), moment(one.made_at)),
    ]
    if one.taken_from:
        pairs.append((t("referrals.taken"), t("referrals.taken_from", who=one.taken_from)))
    if one.lead:
        core = link(t("referrals.core"), f"/customers/{one.lead.core_customer_id}")
        pairs.append((t("referrals.lead"), core))
    if one.reason:
        pairs.append((t("referrals.reason"), one.reason))
    if one.credited:
        parts = (one.amount, one.credited.referrer, one.credited.receiver)
        pairs.append((t("referrals.won"), " · ".join(exact_money(part, one.currency) for part in parts)))
    return pairs
