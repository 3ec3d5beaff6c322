"""Where a strategy stands: its campaigns with their parts of the ledger, and all of them together."""

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, case, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import LateralFromClause

from services.campaign.models import Campaign, Contact, Strategy
from services.campaign.queries.campaigns import select_visible, visible_to
from services.campaign.queries.strategies import commitment, strategy_content
from shared.auth import Principal
from shared.contracts.base import Page
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.campaign.strategies import StrategyCampaign, StrategyMoney, StrategyProgress
from shared.pagination import PageRequest, paginate

_TALLIES = ("spent", "minutes", "outcome_amount", "assigned", "open", "done", "accepted")


def _books() -> LateralFromClause:
    """Sums over a campaign's ledger, of the rows the session may see."""

    def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(case((condition, 1)))

    first = Contact.step == FIRST_STEP
    return (
        select(
            func.coalesce(func.sum(Contact.cost), 0).label("spent"),
            func.coalesce(func.sum(Contact.minutes), 0).label("minutes"),
            func.coalesce(func.sum(Contact.outcome_amount), 0).label("outcome_amount"),
            counted(first & Contact.arm.is_not(None)).label("assigned"),
            counted(first & (Contact.state == "assigned")).label("open"),
            counted(first & (Contact.state == "done")).label("done"),
            counted(Contact.disposition == "accepted").label("accepted"),
        )
        .where(Contact.campaign_id == Campaign.id)
        .correlate(Campaign)
        .lateral("books")
    )


async def strategy_campaigns(
    session: AsyncSession, principal: Principal, key: str, page: PageRequest
) -> Page[StrategyCampaign]:
    books = _books()
    query: Any = (
        select_visible(principal)
        .add_columns(*(books.c[name] for name in _TALLIES))
        .join(books, true())
        .where(Campaign.strategy == key)
    )
    return await paginate(session, query, [Campaign.id.expression], page, _campaign, descending=True)


def _campaign(row: Row[Any]) -> StrategyCampaign:
    campaign: Campaign = row[0]
    return StrategyCampaign.model_validate(
        {
            **{name: getattr(campaign, name) for name in ("id", "key", "status", "strategy_version")},
            **{name: getattr(row, name) for name in _TALLIES if name in StrategyCampaign.model_fields},
            "name": campaign.content["name"],
            "budget": campaign.content.get("budget"),
            "start": campaign.starts_on,
            "end": campaign.ends_on,
        }
    )


async def strategy_progress(
    session: AsyncSession, principal: Principal, strategy: Strategy
) -> StrategyProgress:
    books = _books()
    row = (
        await session.execute(
            select(
                func.count().label("campaigns"),
                *(func.coalesce(func.sum(books.c[name]), 0).label(name) for name in _TALLIES),
            )
            .select_from(Campaign)
            .join(books, true())
            .where(Campaign.strategy == strategy.key, visible_to(principal))
        )
    ).one()
    return StrategyProgress.model_validate(
        {"key": strategy.key, "budget": await _money(session, strategy), **row._asdict()}
    )


async def _money(session: AsyncSession, strategy: Strategy) -> StrategyMoney | None:
    budget = strategy_content(strategy).budget
    if budget is None:
        return None
    taken = await commitment(session, strategy.key)
    return StrategyMoney(
        amount=budget.amount,
        currency=budget.currency,
        committed=taken.amount,
        left=max(budget.amount - taken.amount, Decimal(0)),
    )
