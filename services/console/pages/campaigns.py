"""All campaigns, from draft to completed."""

from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, day, moment
from services.console.frame import heading
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.html import Cell, html, link, table, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign import CampaignSummary

_PAGE = 100


@dataclass
class Shown:
    items: list[CampaignSummary]
    next_cursor: str | None


@page("/campaigns", title="campaigns.title", nav="campaigns")
async def campaigns_page(view: View) -> None:
    with heading(view.t("campaigns.title"), view.t("campaigns.note")):
        if view.user.has(Role.strategist):
            button = ui.button(view.t("campaign_studio.new"))
            button.on_click(lambda: ui.navigate.to("/campaign-studio")).props("unelevated no-caps")

    async def fetch() -> Page[CampaignSummary]:
        return await view.api.get("campaign", "/v1/campaigns", Page[CampaignSummary], {"limit": _PAGE})

    view.section(fetch, lambda found: _draw(view, Shown(found.items, found.next_cursor)), height=320)


def _draw(view: View, shown: Shown) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not shown.items:
            empty_state(t("campaigns.empty"), t("campaigns.empty.do"))
            return
        listed = html(_table(view, shown.items))
        if shown.next_cursor is None:
            return
        more = ui.button(t("more")).props("flat no-caps")

        async def load_more() -> None:
            params = {"limit": _PAGE, "cursor": shown.next_cursor}
            found = await view.attempt(
                view.api.get("campaign", "/v1/campaigns", Page[CampaignSummary], params)
            )
            if found is None:
                return
            shown.items.extend(found.items)
            shown.next_cursor = found.next_cursor
            listed.set_content(str(_table(view, shown.items)))
            more.set_visibility(found.next_cursor is not None)

        more.on_click(load_more)


def _table(view: View, campaigns: list[CampaignSummary]) -> Markup:
    t = view.t
    names = ("campaign", "state", "owner", "orgs", "schedule", "launched", "completed")
    return table([t(f"column.{name}") for name in names], [_row(view, campaign) for campaign in campaigns])


def _row(view: View, campaign: CampaignSummary) -> list[Cell]:
    t = view.t
    return [
        two_lines(link(t.local(campaign.name), f"/campaigns/{campaign.id}"), campaign.key),
        state_tag(t, campaign.status),
        campaign.owner or NOTHING,
        ", ".join(campaign.orgs[:3]) + (" …" if len(campaign.orgs) > 3 else "") or NOTHING,
        f"{day(campaign.start)} – {day(campaign.end)}" if campaign.start else NOTHING,
        moment(campaign.launched_at),
        moment(campaign.completed_at),
    ]
