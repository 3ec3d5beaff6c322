"""One campaign: its five fixes, what may be done with it, its books, and what it has changed."""

import asyncio
from dataclasses import dataclass

from markupsafe import Markup

from services.console.api import segment
from services.console.formats import moment
from services.console.frame import heading
from services.console.pages.campaign_actions import Reload, action_buttons
from services.console.pages.campaign_books import draw_books, draw_budget
from services.console.pages.campaign_changes import decided_content, draw_changes
from services.console.pages.campaign_fixes import draw_fixes
from services.console.pages.campaign_journeys import draw_journeys, has_journeys
from services.console.pages.campaign_messages import Messages, draw_messages, fetch_messages
from services.console.pages.campaign_result import draw_result
from services.console.pages.campaign_simulation import draw_simulation
from services.console.pages.campaign_trigger import draw_trigger
from services.console.pages.words import Metrics, Names, metrics, names, state_tag
from services.console.view import View, page
from services.console.widgets.html import html, link
from shared.contracts.campaign import CampaignProgress, CampaignView
from shared.contracts.campaign.decided import DecidedContent
from shared.contracts.campaign.quotas import BudgetView
from shared.contracts.evaluation import CampaignBoard

_BEFORE_LAUNCH = {"draft", "in_review", "approved", "scheduled"}


@dataclass(frozen=True)
class CampaignFacts:
    campaign: CampaignView
    progress: CampaignProgress | None
    budget: BudgetView | None
    messages: Messages | None
    board: CampaignBoard | None
    metrics: Metrics
    names: Names
    decided: DecidedContent | None = None


@page("/campaigns/{campaign_id}", title="campaign.title", nav="campaigns")
async def campaign_page(view: View, campaign_id: str) -> None:
    async def again() -> None:
        await load()

    load = view.section(
        lambda: _fetch(view, campaign_id), lambda facts: _draw(view, facts, again), height=560
    )


async def _fetch(view: View, campaign_id: str) -> CampaignFacts:
    path = f"/v1/campaigns/{segment(campaign_id)}"
    campaign = await view.api.get("campaign", path, CampaignView)
    known, called = await asyncio.gather(metrics(view), names(view))
    if campaign.status in _BEFORE_LAUNCH:
        decided = await decided_content(view, campaign)
        return CampaignFacts(campaign, None, None, None, None, known, called, decided)
    progress, budget, messages, board = await asyncio.gather(
        view.optional(view.api.get("campaign", f"{path}/progress", CampaignProgress)),
        view.optional(view.api.get("campaign", f"{path}/budget", BudgetView)),
        fetch_messages(view, campaign_id),
        view.optional(
            view.api.get("evaluation", f"/v1/boards/campaigns/{segment(campaign_id)}", CampaignBoard)
        ),
    )
    return CampaignFacts(campaign, progress, budget, messages, board, known, called)


def _draw(view: View, facts: CampaignFacts, again: Reload) -> None:
    t, campaign = view.t, facts.campaign
    crumb = link(t("campaigns.title"), "/campaigns")
    with heading(t.local(campaign.name), crumb=crumb):
        action_buttons(view, campaign, again)
    html(
        Markup('{} <span class="muted" style="margin-left:10px">{}</span>').format(
            state_tag(t, campaign.status), _history(view, campaign)
        )
    )
    if campaign.strategy:
        html(_strategy(view, campaign.strategy, campaign.strategy_version))
    if facts.decided is not None:
        draw_changes(view, campaign, facts.decided, facts.metrics, facts.names)
    draw_fixes(view, campaign, facts.metrics, facts.names)
    if has_journeys(campaign):
        draw_journeys(view, campaign, facts.names)
    if campaign.status in _BEFORE_LAUNCH:
        draw_simulation(view, campaign)
    if facts.progress is not None:
        draw_books(view, facts.progress, facts.names)
        if facts.progress.trigger is not None:
            draw_trigger(view, campaign, facts.progress.trigger, facts.names)
    if facts.messages is not None:
        draw_messages(view, facts.messages, again)
    if facts.budget is not None:
        draw_budget(view, facts.budget)
    if facts.board is not None:
        draw_result(view, facts.board, facts.metrics)


def _strategy(view: View, key: str, version: int | None) -> Markup:
    """At the version it was submitted with; before, at the newest one."""
    ref = key if version is None else f"{key}@{version}"
    named = link(view.t("campaign.strategy", name=ref), f"/strategies/{segment(key)}")
    return Markup('<p class="small" style="margin-top:6px">{}</p>').format(named)


def _history(view: View, campaign: CampaignView) -> str:
    t = view.t
    parts = [
        campaign.key,
        t("campaign.created", time=moment(campaign.created_at), by=_person(campaign.created_by)),
    ]
    if campaign.approved_at:
        parts.append(
            t("campaign.approved", time=moment(campaign.approved_at), by=_person(campaign.approved_by or ""))
        )
    if campaign.launched_at:
        parts.append(t("campaign.launched", time=moment(campaign.launched_at)))
    if campaign.completed_at:
        parts.append(t("campaign.completed", time=moment(campaign.completed_at)))
    if campaign.status_reason:
        parts.append(campaign.status_reason)
    return " · ".join(parts)


def _person(principal: str) -> str:
    return principal.removeprefix("user:")
