"""Reads of messages."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Message
from shared.contracts.base import Page
from shared.contracts.campaign.messages import CampaignMessages, MessageCounts, MessageView
from shared.contracts.campaign.vocabulary import MessageState
from shared.pagination import PageRequest, paginate


def message_view(message: Message) -> MessageView:
    return MessageView.model_validate({name: getattr(message, name) for name in MessageView.model_fields})


async def list_messages(
    session: AsyncSession, campaign_id: UUID, page: PageRequest, state: MessageState | None
) -> Page[MessageView]:
    query: Any = select(Message).where(Message.campaign_id == campaign_id)
    if state is not None:
        query = query.where(Message.state == state)
    return await paginate(session, query, [Message.id.expression], page, lambda row: message_view(row[0]))


async def count_messages(session: AsyncSession, campaign_id: UUID) -> CampaignMessages:
    rows = await session.execute(
        select(Message.channel, Message.state, func.count().label("messages"))
        .where(Message.campaign_id == campaign_id)
        .group_by(Message.channel, Message.state)
        .order_by(Message.channel, Message.state)
    )
    by_channel: dict[str, dict[MessageState, int]] = defaultdict(dict)
    for row in rows:
        by_channel[row.channel][row.state] = row.messages
    return CampaignMessages(
        items=[MessageCounts(channel=channel, states=states) for channel, states in by_channel.items()]
    )
