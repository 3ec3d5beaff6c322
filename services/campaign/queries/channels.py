"""Reads of channels and of the tests they were put to."""

from sqlalchemy import cast, func, select
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Campaign, Channel, ChannelTest
from shared.contracts.base import Page
from shared.contracts.campaign import CampaignStatus
from shared.contracts.campaign.channels import ChannelKind, ChannelState, ChannelTestView, ChannelView
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_PAYING: tuple[CampaignStatus, ...] = (
    "in_review",
    "approved",
    "scheduled",
    "launching",
    "running",
    "paused",
    "draining",
)
_DERIVED = {"has_secret", "has_password"}


def channel_view(channel: Channel) -> ChannelView:
    """Whether there are secrets, never which."""
    stored = {name: getattr(channel, name) for name in ChannelView.model_fields if name not in _DERIVED}
    known = {"has_secret": channel.secret is not None, "has_password": channel.password is not None}
    return ChannelView.model_validate({**stored, **known})


def test_view(test: ChannelTest) -> ChannelTestView:
    return ChannelTestView.model_validate(
        {name: getattr(test, name) for name in ChannelTestView.model_fields}
    )


async def find_channel(session: AsyncSession, key: str, *, lock: bool = False) -> Channel:
    channel = await session.get(Channel, key, with_for_update=True if lock else None)
    if channel is None:
        raise NotFound(f"no channel {key}")
    return channel


async def budgets_on(session: AsyncSession, key: str) -> list[str]:
    """Campaigns, by key, that pay for messages of this channel out of a budget, or are to when approved."""
    path = cast("$.scheme.**.channel ? (@ == $key)", JSONPATH)
    goes_by_it = func.jsonb_path_exists(Campaign.content, path, cast({"key": key}, JSONB))
    return list(
        await session.scalars(
            select(Campaign.key)
            .where(Campaign.status.in_(_PAYING), Campaign.content["budget"].astext.is_not(None), goes_by_it)
            .order_by(Campaign.key)
        )
    )


async def list_channels(
    session: AsyncSession, page: PageRequest, kind: ChannelKind | None, state: ChannelState | None
) -> Page[ChannelView]:
    query = select(Channel)
    if kind is not None:
        query = query.where(Channel.kind == kind)
    if state is not None:
        query = query.where(Channel.state == state)
    return await paginate(session, query, [Channel.key.expression], page, lambda row: channel_view(row[0]))


async def list_tests(session: AsyncSession, key: str, page: PageRequest) -> Page[ChannelTestView]:
    await find_channel(session, key)
    query = select(ChannelTest).where(ChannelTest.channel == key)
    return await paginate(
        session, query, [ChannelTest.id.expression], page, lambda row: test_view(row[0]), descending=True
    )
