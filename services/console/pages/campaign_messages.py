"""Messages of a campaign: how many stand where, and those of which nobody can say whether they came."""

from dataclasses import dataclass
from typing import get_args

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import moment, whole
from services.console.pages.campaign_actions import Reload
from services.console.view import View
from services.console.widgets.html import html, table
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign.messages import CampaignMessages, MessageView
from shared.contracts.campaign.vocabulary import MessageState

_SHOWN = 20
_STATES: tuple[MessageState, ...] = get_args(MessageState)


@dataclass(frozen=True)
class Messages:
    counts: CampaignMessages
    unknown: Page[MessageView] | None


async def fetch_messages(view: View, campaign_id: str) -> Messages | None:
    path = f"/v1/campaigns/{segment(campaign_id)}"
    counts = await view.optional(view.api.get("campaign", f"{path}/message-counts", CampaignMessages))
    if counts is None:
        return None
    unknown = None
    if any(each.states.get("unknown") for each in counts.items):
        unknown = await view.api.get(
            "campaign", f"{path}/messages", Page[MessageView], {"state": "unknown", "limit": _SHOWN}
        )
    return Messages(counts, unknown)


def draw_messages(view: View, messages: Messages, again: Reload) -> None:
    t = view.t
    if not messages.counts.items:
        return
    present = [state for state in _STATES if any(each.states.get(state) for each in messages.counts.items)]
    rows = [
        (each.channel, *(whole(each.states.get(state, 0)) for state in present))
        for each in messages.counts.items
    ]
    columns = [t("messages.channel"), *(t.word("message", state) for state in present)]
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("messages.title")))
        html(table(columns, rows, right=range(1, len(columns))))
        if messages.unknown is not None:
            lost = Markup("<h3>{}</h3><p class='muted'>{}</p>")
            html(lost.format(t("messages.lost"), t("messages.lost.do")))
            for message in messages.unknown.items:
                _lost(view, message, again)


def _lost(view: View, message: MessageView, again: Reload) -> None:
    t = view.t
    with ui.element("div").classes("actions").style("justify-content: flex-start"):
        html(
            Markup('<span class="small">{} · {} · {}</span>').format(
                message.channel, moment(message.submitted_at), message.reference or message.id
            )
        )
        if view.user.has(Role.strategist):
            for outcome in ("delivered", "not_sent"):
                button = ui.button(t(f"messages.resolve.{outcome}")).props("outline no-caps dense")
                button.on_click(_resolves(view, message, outcome, again))


def _resolves(view: View, message: MessageView, outcome: str, again: Reload) -> Reload:
    async def resolve() -> None:
        path = f"/v1/messages/{segment(message.id)}:resolve"
        asked = view.api.post("campaign", path, MessageView, {"outcome": outcome})
        if await view.attempt(asked) is not None:
            await again()

    return resolve
