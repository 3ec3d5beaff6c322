"""A campaign's strategy: named by key or id, and held to when the campaign is submitted."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.strategies import Terms, breaches
from services.campaign.models import Campaign, Strategy
from services.campaign.queries.strategies import commitment, select_strategies, strategy_content
from shared.auth import Principal
from shared.contracts.campaign import CampaignContent
from shared.errors import FieldError, Unprocessable


async def with_strategy(
    session: AsyncSession, principal: Principal, content: CampaignContent, written: Collection[str]
) -> CampaignContent:
    """The content with key and id of its strategy. Of the two the one in `written` says which."""
    by_key = content.strategy if "strategy" in written else None
    by_id = content.strategy_id if "strategy_id" in written else None
    if not {"strategy", "strategy_id"} & set(written):
        return content
    if by_key is None and by_id is None:
        return content.model_copy(update={"strategy": None, "strategy_id": None})
    pointer = "/strategy" if by_key is not None else "/strategy_id"
    query = select_strategies(principal).where(
        Strategy.key == by_key if by_key is not None else Strategy.id == by_id
    )
    found = await session.scalar(query)
    if found is None:
        errors = [FieldError(pointer, f"there is no strategy {by_key or by_id}")]
        raise Unprocessable("the campaign refers to what does not exist", errors=errors)
    if by_id not in (None, found.id):
        errors = [FieldError("/strategy_id", f"is not the id of {found.key}")]
        raise Unprocessable("the campaign names two strategies", errors=errors)
    return content.model_copy(update={"strategy": found.key, "strategy_id": found.id})


async def hold_to_strategy(
    session: AsyncSession, campaign: Campaign, content: CampaignContent
) -> list[FieldError]:
    """Where the campaign leaves its strategy. Its row is held, so that two campaigns cannot take the same
    money; the campaign keeps the version.
    """
    campaign.strategy_version = None
    if content.strategy is None:
        return []
    strategy = await session.scalar(
        select(Strategy).where(Strategy.key == content.strategy).with_for_update()
    )
    if strategy is None:
        return [FieldError("/strategy", f"there is no strategy {content.strategy}")]
    taken = await commitment(session, strategy.key, besides=campaign.id)
    campaign.strategy_version = strategy.version
    terms = Terms(strategy.key, strategy.version, strategy.state, strategy_content(strategy), taken.amount)
    return list(breaches(content, terms))
