"""What may be done with a campaign: the state allows it, and the user's role does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from nicegui import ui

from services.console.api import segment
from services.console.formats import percent
from services.console.pages.campaign_studio.saving import take_back
from services.console.view import View
from services.console.widgets.dialogs import confirm, form
from shared.auth import Role
from shared.contracts.base import JobView
from shared.contracts.campaign import CampaignVerb, CampaignView

Reload = Callable[[], Awaitable[None]]
_POLL_SECONDS = 0.4


@dataclass(frozen=True)
class Action:
    roles: tuple[Role, ...]
    text: str | None = None
    """Field of the request that takes what the user writes."""
    required: bool = False
    strong: bool = False
    fixed: Mapping[str, object] | None = None


_ACTIONS: dict[CampaignVerb, Action] = {
    "submit": Action((Role.strategist,), strong=True),
    "approve": Action((Role.approver,), text="comment", strong=True),
    "reject": Action((Role.approver,), text="reason", required=True),
    "launch": Action((Role.strategist,), strong=True),
    "resume": Action((Role.strategist,), strong=True),
    "pause": Action((Role.strategist,)),
    "drain": Action((Role.strategist,)),
    "complete": Action((Role.strategist,), fixed={"expire_open": True}),
    "abort": Action((Role.strategist,), text="reason", required=True),
}


_WITHDRAWN = frozenset({"in_review", "approved", "scheduled"})
"""States from which an edit leads back to the draft."""


def action_buttons(view: View, campaign: CampaignView, again: Reload) -> None:
    if view.user.has(Role.strategist):
        _writing_buttons(view, campaign, again)
    for verb, action in _ACTIONS.items():
        if verb in campaign.verbs and view.user.has(*action.roles):
            style = "unelevated no-caps" if action.strong else "outline no-caps"
            button = ui.button(view.t(f"action.{verb}")).props(style)
            button.on_click(_asks(view, campaign, verb, action, again))


def _writing_buttons(view: View, campaign: CampaignView, again: Reload) -> None:
    """Of a campaign that also belongs to others, a branch makes a copy of its own."""
    t = view.t
    orgs = campaign.people.orgs if campaign.people else []

    async def withdraw() -> None:
        text = t("campaign_studio.void.confirm", state=t.word("state", campaign.status))
        if await confirm(t, title=t("campaign_studio.withdraw"), text=text) is None:
            return
        if await view.attempt(take_back(view.api, campaign)) is not None:
            view.done(t("campaign_studio.withdrawn"))
            await again()

    if "edit" in campaign.verbs and all(view.user.covers(org) for org in orgs):
        if campaign.status in _WITHDRAWN:
            ui.button(t("campaign_studio.withdraw"), on_click=withdraw).props("flat no-caps")
        _opens(t("campaign.edit"), f"/campaign-studio?campaign={campaign.id}")
    _opens(t("campaign.copy"), f"/campaign-studio?copy={campaign.id}")


def _opens(label: str, address: str) -> None:
    ui.button(label, on_click=lambda: ui.navigate.to(address)).props("outline no-caps")


async def _carry_out(view: View, campaign: CampaignView, verb: CampaignVerb, body: dict[str, object]) -> bool:
    path = f"/v1/campaigns/{segment(campaign.id)}:{verb}"
    if verb == "launch":
        return await _follow(view, await view.api.post("campaign", path, JobView))
    done = await view.api.post("campaign", path, CampaignView, body or None)
    view.done(view.t("action.done", state=view.t.word("state", done.status)))
    return True


async def _follow(view: View, job: JobView) -> bool:
    """Show a background job until it ends."""
    notice = ui.notification(view.t("job.running"), spinner=True, timeout=None)
    while job.state in {"queued", "running"}:
        await asyncio.sleep(_POLL_SECONDS)
        job = await view.api.get("campaign", f"/v1/jobs/{segment(job.id)}", JobView)
        notice.message = f"{view.t('job.running')} {percent(job.progress, 0)} {job.step or ''}"
    notice.dismiss()
    if job.state == "succeeded":
        view.done(view.t("job.done"))
    else:
        detail = job.problem.detail if job.problem else None
        ui.notify(f"{view.t('job.failed')} {detail or ''}", type="negative", multi_line=True)
    return True


async def _ask_pause(view: View, campaign: CampaignView) -> bool:
    """With the reason, and what becomes of contacts that have not begun."""
    t = view.t
    reason = open_contacts = None

    def draw() -> None:
        nonlocal reason, open_contacts
        reason = ui.textarea(t("action.reason")).props("outlined autogrow autofocus maxlength=4000")
        choices = {name: t(f"pause.{name}") for name in ("hold", "drop")}
        open_contacts = ui.radio(choices, value="hold")

    async def save() -> bool | None:
        if reason is None or open_contacts is None or not str(reason.value or "").strip():
            ui.notify(t("dialog.required"), type="warning")
            return None
        body: dict[str, object] = {"reason": reason.value.strip(), "open_contacts": open_contacts.value}
        return await view.attempt(_carry_out(view, campaign, "pause", body))

    note = t("action.pause.confirm", name=t.local(campaign.name))
    title = t("action.pause")
    return bool(await form(t, title=title, note=note, draw=draw, save=save, button_text=title))


def _asks(
    view: View, campaign: CampaignView, verb: CampaignVerb, action: Action, again: Reload
) -> Callable[[], Awaitable[None]]:
    async def ask() -> None:
        if verb == "pause":
            if await _ask_pause(view, campaign):
                await again()
            return
        answer = await confirm(
            view.t,
            title=view.t(f"action.{verb}"),
            text=view.t(f"action.{verb}.confirm", name=view.t.local(campaign.name)),
            field=view.t(f"action.{action.text}") if action.text else None,
            required=action.required,
        )
        if answer is None:
            return
        body: dict[str, object] = dict(action.fixed or {})
        if action.text and answer:
            body[action.text] = answer
        if await view.attempt(_carry_out(view, campaign, verb, body)):
            await again()

    return ask
