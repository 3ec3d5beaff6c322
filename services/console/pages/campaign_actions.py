"""What may be done with a campaign: the state allows it, and the user's role does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from nicegui import ui

from services.console.api import segment
from services.console.view import View
from services.console.widgets.dialogs import confirm
from shared.auth import Role
from shared.contracts.campaign import CampaignVerb, CampaignView
from shared.ids import new_id

Reload = Callable[[], Awaitable[None]]


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
    "pause": Action((Role.strategist,), text="reason", required=True),
    "complete": Action((Role.strategist,), fixed={"expire_open": True}),
    "abort": Action((Role.strategist,), text="reason", required=True),
}


def action_buttons(view: View, campaign: CampaignView, again: Reload) -> None:
    for verb, action in _ACTIONS.items():
        if verb in campaign.verbs and view.user.has(*action.roles):
            style = "unelevated no-caps" if action.strong else "outline no-caps"
            button = ui.button(view.t(f"action.{verb}")).props(style)
            button.on_click(_asks(view, campaign, verb, action, again))


def _asks(
    view: View, campaign: CampaignView, verb: CampaignVerb, action: Action, again: Reload
) -> Callable[[], Awaitable[None]]:
    async def ask() -> None:
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
        path = f"/v1/campaigns/{segment(campaign.id)}:{verb}"
        done = await view.attempt(
            view.api.post("campaign", path, CampaignView, body or None, key=str(new_id()))
        )
        if done is not None:
            view.done(view.t("action.done", state=view.t.word("state", done.status)))
            await again()

    return ask
