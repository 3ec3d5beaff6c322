"""Tiers held by hand: propose with a reason, approve, end; they end by themselves too."""

from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from uuid import UUID

from markupsafe import Markup
from nicegui import ui

from services.console.api import Params, segment
from services.console.formats import moment
from services.console.pages.words import state_tag
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import html, link
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.clock import ZONE, today
from shared.contracts.base import Page
from shared.contracts.segmentation.tiers import OverrideState, TierOverrideView, TierSchemeView

_MAKERS = (Role.strategist, Role.branch_head)
_DAYS = 90
Reload = Callable[[], Awaitable[None]]


def build_overrides(view: View, scheme: TierSchemeView) -> None:
    async def fetch() -> Page[TierOverrideView]:
        params: Params = {"scheme": scheme.key, "limit": 200}
        return await view.api.get("segmentation", "/v1/tier-overrides", Page[TierOverrideView], params)

    async def again() -> None:
        await reload()

    if view.user.has(*_MAKERS):
        with ui.element("section").classes("panel").style("margin-bottom: 18px"):
            OverrideForm(view, scheme, again).draw()
    reload = view.section(fetch, lambda found: _list(view, scheme, found.items, again), height=240)


class OverrideForm:
    def __init__(self, view: View, scheme: TierSchemeView, proposed: Reload) -> None:
        self._view, self._scheme, self._proposed = view, scheme, proposed

    def draw(self) -> None:
        t = self._view.t
        html(
            Markup("<h2>{}</h2><p class='muted'>{}</p>").format(t("tiers.override"), t("tiers.override.note"))
        )
        with ui.element("div").classes("filters"):
            self._customer = ui.input(t("ge.customer")).props("outlined dense autocomplete=off")
            self._customer.style("min-width: 320px")
            tiers = {tier.code: t.local(tier.name) for tier in self._scheme.tiers}
            self._tier = ui.select(tiers, value=self._scheme.tiers[-1].code, label=t("tiers.to"))
            self._tier.props("outlined dense options-dense").style("min-width: 140px")
            until = (today() + timedelta(days=_DAYS)).isoformat()
            self._until = ui.input(t("tiers.until"), value=until).props("outlined dense type=date")
        self._reason = ui.input(t("action.reason")).props("outlined dense maxlength=2000")
        with ui.element("div").classes("actions"):
            ui.button(t("tiers.override.do"), on_click=self._send).props("unelevated no-caps")

    async def _send(self) -> None:
        t = self._view.t
        try:
            customer = UUID(str(self._customer.value or "").strip())
            last = datetime.combine(datetime.fromisoformat(str(self._until.value)).date(), time.max, ZONE)
        except ValueError:
            ui.notify(t("ge.customer.bad"), type="warning")
            return
        body = {
            "scheme": self._scheme.key,
            "tier": str(self._tier.value),
            "reason": str(self._reason.value or ""),
            "until": last.isoformat(),
        }
        path = f"/v1/customers/{segment(customer)}/tier-override"
        if await self._view.attempt(self._view.api.put("segmentation", path, TierOverrideView, body)):
            self._view.done(t("tiers.override.done"))
            await self._proposed()


def _list(view: View, scheme: TierSchemeView, overrides: list[TierOverrideView], reload: Reload) -> None:
    t = view.t
    names = {tier.code: t.local(tier.name) for tier in scheme.tiers}
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("tiers.overrides")))
        if not overrides:
            empty_state(t("tiers.overrides.empty"), t("tiers.overrides.empty.do"))
            return
        for one in overrides:
            with ui.element("div").classes("actions").style("justify-content: space-between; padding: 8px 0"):
                who = " → ".join(name for name in (one.made_by, one.decided_by) if name)
                html(
                    Markup("{} → <b>{}</b> {}<div class='muted small'>{} · {} · {} {}</div>").format(
                        link(str(one.customer_id)[-12:], f"/customers/{one.customer_id}"),
                        names.get(one.tier, one.tier),
                        state_tag(t, one.state),
                        t("tiers.until.at", at=moment(one.until)),
                        who,
                        one.reason,
                        one.comment,
                    )
                )
                _decide(view, one, reload)


def _decide(view: View, one: TierOverrideView, reload: Reload) -> None:
    t = view.t
    verbs: tuple[str, ...] = ()
    if one.state == OverrideState.proposed and view.user.has(Role.approver):
        verbs = ("reject", "approve")
    elif one.state == OverrideState.active and view.user.has(*_MAKERS):
        verbs = ("end",)

    async def act(verb: str) -> None:
        field = None if verb == "end" else t("tiers.comment")
        title, text = t(f"tiers.{verb}"), t(f"tiers.override.{verb}.confirm")
        comment = await confirm(t, title=title, text=text, field=field, required=verb == "reject")
        if comment is None:
            return
        path = f"/v1/tier-overrides/{segment(one.id)}:{verb}"
        body = None if verb == "end" else {"comment": comment}
        if await view.attempt(view.api.post("segmentation", path, TierOverrideView, body)):
            view.done(t("tiers.override.decided"))
            await reload()

    if verbs:
        with ui.element("div"):
            for verb in verbs:
                button = ui.button(t(f"tiers.{verb}"), on_click=lambda what=verb: act(what))
                button.props("outline no-caps dense padding='4px 14px'")
