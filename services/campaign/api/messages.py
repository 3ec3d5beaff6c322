"""Messages of a campaign, and what people find out about those whose answer was lost."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from services.campaign.api.access import Overseer, Planner
from services.campaign.queries.campaigns import find_campaign
from services.campaign.queries.messages import count_messages, list_messages, message_view
from services.campaign.usecases.message_outcomes import resolve_message
from shared.contracts.base import Page
from shared.contracts.campaign.messages import CampaignMessages, MessageView, ResolveMessage
from shared.contracts.campaign.vocabulary import MessageState
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["messages"])
CampaignId = Annotated[UUID, Path(description="Id of the campaign")]


@router.get("/campaigns/{campaign_id}/messages", responses=problem_responses(400, 404))
async def get_messages(
    session: Session,
    principal: Overseer,
    campaign_id: CampaignId,
    page: PageParams,
    state: Annotated[MessageState | None, Query(description="Only those that stand so")] = None,
) -> Page[MessageView]:
    """Where each message of the campaign stands; of the branches you see."""
    await find_campaign(session, principal, campaign_id)
    return await list_messages(session, campaign_id, page, state)


@router.get("/campaigns/{campaign_id}/message-counts", responses=problem_responses(404))
async def get_message_counts(
    session: Session, principal: Overseer, campaign_id: CampaignId
) -> CampaignMessages:
    """How many messages stand where, by channel."""
    await find_campaign(session, principal, campaign_id)
    return await count_messages(session, campaign_id)


@router.post("/messages/{message_id}:resolve", responses=problem_responses(404, 409))
async def post_resolution(
    session: Session,
    principal: Planner,
    message_id: Annotated[UUID, Path(description="Id of the message")],
    body: ResolveMessage,
) -> MessageView:
    """An `unknown` message: the provider says that it came, or that it never got it. It is not sent again."""
    return message_view(await resolve_message(session, principal, message_id, body.outcome))
