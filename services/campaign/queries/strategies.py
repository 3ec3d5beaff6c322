"""Reads of strategies, and which of them a principal may see."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.campaign.domain.fixes import TASK_CHANNEL
from services.campaign.domain.strategies import completeness, missing, parts, verbs
from services.campaign.models import Campaign, CampaignBudget, Channel, Segment, Strategy, StrategyVersion
from services.campaign.queries.catalogue import materials_by_ref, offers_by_key, scripts_by_ref
from services.campaign.queries.orgs import around
from shared.auth import Principal
from shared.contracts.base import Page
from shared.contracts.campaign.strategies import (
    StrategyContent,
    StrategyState,
    StrategySummary,
    StrategyVersionView,
    StrategyView,
)
from shared.errors import FieldError, NotFound
from shared.pagination import PageRequest, paginate

ENDED = ("aborted", "completed")
NOT_COUNTED = ("draft", "expired")


def strategy_content(stored: Strategy | StrategyVersion) -> StrategyContent:
    return StrategyContent.model_validate(stored.content)


def _visible_to(principal: Principal) -> ColumnElement[bool]:
    """As campaigns are: by those it is for, those above them and those below."""
    return true() if principal.scope == "*" else around(Strategy.org.expression, principal.org)


def select_strategies(principal: Principal) -> Select[Strategy]:
    return select(Strategy).where(_visible_to(principal))


async def find_strategy(session: AsyncSession, principal: Principal, key: str) -> Strategy:
    strategy = await session.scalar(select_strategies(principal).where(Strategy.key == key))
    if strategy is None:
        raise NotFound(f"no strategy {key}")
    return strategy


async def list_strategies(
    session: AsyncSession, principal: Principal, page: PageRequest, state: StrategyState | None
) -> Page[StrategySummary]:
    query = select_strategies(principal)
    if state is not None:
        query = query.where(Strategy.state == state)
    return await paginate(
        session, query, [Strategy.id.expression], page, lambda row: _summary(row[0]), descending=True
    )


def _summary(strategy: Strategy) -> StrategySummary:
    content = strategy_content(strategy)
    objective = content.objective
    return StrategySummary(
        id=strategy.id,
        key=strategy.key,
        name=content.name,
        org=strategy.org,
        state=strategy.state,
        version=strategy.version,
        primary_metric=objective.primary_metric if objective else None,
        start=strategy.starts_on,
        end=strategy.ends_on,
        budget=content.budget,
        completeness=completeness(parts(content)),
        changed_at=strategy.changed_at,
    )


def strategy_view(strategy: Strategy) -> StrategyView:
    content = strategy_content(strategy)
    filled = parts(content)
    stored = Strategy.__table__.columns.keys()
    return StrategyView.model_validate(
        {
            **{name: getattr(strategy, name) for name in StrategyView.model_fields if name in stored},
            **content.model_dump(),
            "parts": filled,
            "completeness": completeness(filled),
            "missing": [error.pointer for error in missing(filled)],
            "verbs": verbs(strategy.state),
        }
    )


async def list_versions(session: AsyncSession, key: str, page: PageRequest) -> Page[StrategyVersionView]:
    return await paginate(
        session,
        select(StrategyVersion).where(StrategyVersion.key == key),
        [StrategyVersion.version.expression],
        page,
        lambda row: _version(row[0]),
        descending=True,
    )


def _version(stored: StrategyVersion) -> StrategyVersionView:
    plain = ("key", "version", "written_at", "written_by")
    return StrategyVersionView.model_validate(
        {**strategy_content(stored).model_dump(), **{name: getattr(stored, name) for name in plain}}
    )


def kept_version(campaign: Campaign) -> str | None:
    """`key@version` of the strategy the campaign was submitted with."""
    return f"{campaign.strategy}@{campaign.strategy_version}" if campaign.strategy else None


async def version_now(session: AsyncSession, campaign: Campaign) -> str | None:
    """`key@version` of its strategy as it stands."""
    version = await session.scalar(select(Strategy.version).where(Strategy.key == campaign.strategy))
    return f"{campaign.strategy}@{version}" if campaign.strategy else None


@dataclass(frozen=True)
class Commitment:
    """What campaigns take of a strategy's budget, in which currencies."""

    amount: Decimal
    currencies: Collection[str]


async def commitment(session: AsyncSession, key: str, besides: UUID | None = None) -> Commitment:
    """Of all campaigns but `besides`, whoever may see them: a bound is one for everybody."""
    budget = Campaign.content["budget"]
    asked = func.coalesce(budget["amount"].as_numeric(20, 2), 0)
    counted = func.sum(func.coalesce(CampaignBudget.spent, 0)).filter(Campaign.status.in_(ENDED))
    open_ones = func.sum(asked).filter(Campaign.status.not_in((*ENDED, *NOT_COUNTED)))
    query = (
        select(
            func.coalesce(counted, 0) + func.coalesce(open_ones, 0),
            func.array_agg(budget["currency"].astext.distinct()),
        )
        .outerjoin(CampaignBudget, CampaignBudget.campaign_id == Campaign.id)
        .where(Campaign.strategy == key, Campaign.status.not_in(NOT_COUNTED))
    )
    if besides is not None:
        query = query.where(Campaign.id != besides)
    amount, currencies = (await session.execute(query)).one()
    return Commitment(Decimal(amount), [name for name in currencies or [] if name is not None])


async def open_campaigns(session: AsyncSession, key: str) -> list[str]:
    """Keys of those that are in review or further, and not at their end."""
    rows = await session.scalars(
        select(Campaign.key)
        .where(Campaign.strategy == key, Campaign.status.not_in((*ENDED, *NOT_COUNTED)))
        .order_by(Campaign.key)
        .limit(20)
    )
    return list(rows)


async def unknown(session: AsyncSession, content: StrategyContent) -> list[FieldError]:
    """A pointer to every segment, channel, offer, script and material that does not exist."""
    segments = set(
        await session.scalars(select(Segment.key).where(Segment.key.in_(content.segments), ~Segment.archived))
    )
    channels = {TASK_CHANNEL, *await _existing(session, Channel.key, content.channels)}
    found: dict[str, tuple[str, Collection[str]]] = {
        "segments": ("published segment", segments),
        "channels": ("channel", channels),
        "offers": ("offer", await offers_by_key(session, set(content.offers))),
        "scripts": ("script", await scripts_by_ref(session, set(content.scripts))),
        "materials": ("material", await materials_by_ref(session, set(content.materials))),
    }
    return [
        FieldError(f"/{part}/{index}", f"there is no {kind} {name}")
        for part, (kind, known) in found.items()
        for index, name in enumerate(getattr(content, part))
        if name not in known
    ]


async def _existing(
    session: AsyncSession, column: InstrumentedAttribute[str], keys: Collection[str]
) -> list[str]:
    return list(await session.scalars(select(column).where(column.in_(keys))))
