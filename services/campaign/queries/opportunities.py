"""Reads of opportunities and of the stages they pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.opportunities import VERBS, probability, weighted
from services.campaign.models import Customer, Opportunity, OpportunityMove, OpportunityStages
from services.campaign.queries.families import of_family
from services.campaign.queries.orgs import within
from services.campaign.queries.tasks import OVERSEERS, whose
from shared import clock
from shared.auth import Principal
from shared.contracts.base import LocalText, Page
from shared.contracts.campaign.opportunities import (
    OpportunityDetail,
    OpportunityStatus,
    OpportunityView,
    Rad,
    Stage,
    StageList,
    StageMove,
)
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_BUILT_IN = StageList.model_validate(
    {
        "version": 0,
        "created_at": None,
        "created_by": None,
        "stages": [
            {"key": key, "name": LocalText(zh=zh, en=en), "probability": likely}
            for key, zh, en, likely in (
                ("lead", "线索", "Lead", "0.1"),
                ("qualified", "需求确认", "Qualified", "0.25"),
                ("proposal", "方案", "Proposal", "0.5"),
                ("negotiation", "谈判", "Negotiation", "0.75"),
            )
        ],
    }
)
"""Holds until somebody writes a list."""


@dataclass(frozen=True)
class OpportunityFilter:
    statuses: Sequence[OpportunityStatus] = ()
    stages: Sequence[str] = ()
    customer_id: UUID | None = None
    manager: str | None = None
    org: str | None = None
    offer: str | None = None
    rad: Rad | None = None
    close_before: date | None = None
    action_before: date | None = None


async def newest_stages(session: AsyncSession) -> StageList:
    row = await session.scalar(select(OpportunityStages).order_by(OpportunityStages.version.desc()).limit(1))
    return stages_view(row) if row else _BUILT_IN


async def list_stages(session: AsyncSession, page: PageRequest) -> Page[StageList]:
    return await paginate(
        session,
        select(OpportunityStages),
        [OpportunityStages.version.expression],
        page,
        lambda row: stages_view(row[0]),
        descending=True,
    )


def stages_view(row: OpportunityStages) -> StageList:
    named = {name: getattr(row, name) for name in ("version", "created_at", "created_by")}
    return StageList.model_validate({**row.content, **named})


def mine_or_my_branch(
    principal: Principal, column: ColumnElement[str], manager: str | None
) -> ColumnElement[bool] | None:
    """As a condition on whose it is; None where all are seen."""
    wanted = whose(principal, manager)
    return None if wanted is None else column == wanted


async def list_opportunities(
    session: AsyncSession, principal: Principal, page: PageRequest, wanted: OpportunityFilter
) -> Page[OpportunityView]:
    stages = (await newest_stages(session)).stages
    query = _select()
    for condition in _conditions(principal, wanted):
        query = query.where(condition)
    return await paginate(
        session,
        query,
        [Opportunity.expected_close.expression, Opportunity.id.expression],
        page,
        lambda row: opportunity_view(row.Opportunity, stages, row.merged_into),
    )


def _conditions(principal: Principal, wanted: OpportunityFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool] | None] = [
        mine_or_my_branch(principal, Opportunity.manager.expression, wanted.manager),
        Opportunity.status.in_(wanted.statuses) if wanted.statuses else None,
        Opportunity.stage.in_(wanted.stages) if wanted.stages else None,
        of_family(Opportunity.customer_id.expression, wanted.customer_id) if wanted.customer_id else None,
        within(Opportunity.org_path.expression, wanted.org) if wanted.org else None,
        Opportunity.offer == wanted.offer if wanted.offer else None,
        Opportunity.rad == wanted.rad if wanted.rad else None,
        Opportunity.expected_close < wanted.close_before if wanted.close_before else None,
        Opportunity.next_action_on < wanted.action_before if wanted.action_before else None,
    ]
    return [each for each in conditions if each is not None]


def _select() -> Any:
    """Rows of opportunity and the survivor."""
    return select(Opportunity, Customer.merged_into).outerjoin(
        Customer, Customer.id == Opportunity.customer_id
    )


async def get_opportunity(
    session: AsyncSession, principal: Principal, opportunity_id: UUID
) -> OpportunityDetail:
    row = (await session.execute(_select().where(Opportunity.id == opportunity_id))).one_or_none()
    if row is None or not (principal.has(*OVERSEERS) or row[0].manager == principal.staff):
        raise NotFound(f"no opportunity {opportunity_id}")
    moves = await session.scalars(
        select(OpportunityMove)
        .where(OpportunityMove.opportunity_id == opportunity_id)
        .order_by(OpportunityMove.number)
    )
    stages = (await newest_stages(session)).stages
    history = [
        StageMove.model_validate({name: getattr(each, name) for name in StageMove.model_fields})
        for each in moves
    ]
    return OpportunityDetail(**opportunity_view(row[0], stages, row[1]).model_dump(), moves=history)


async def view_of_opportunity(session: AsyncSession, row: Opportunity) -> OpportunityView:
    survivor = await session.scalar(select(Customer.merged_into).where(Customer.id == row.customer_id))
    return opportunity_view(row, (await newest_stages(session)).stages, survivor)


def opportunity_view(row: Opportunity, stages: Sequence[Stage], survivor: UUID | None) -> OpportunityView:
    derived = {"customer_id", "org", "probability", "weighted", "overdue", "verbs"}
    stored = {name: getattr(row, name) for name in OpportunityView.model_fields if name not in derived}
    likely, today = probability(stages, row.status, row.stage), clock.today()
    late = [day for day in (row.expected_close, row.next_action_on) if day is not None and day < today]
    return OpportunityView.model_validate(
        {
            **stored,
            "customer_id": survivor or row.customer_id,
            "org": row.org_path,
            "probability": likely,
            "weighted": weighted(row.amount, likely if row.status == "open" else likely * 0),
            "overdue": row.status == "open" and bool(late),
            "verbs": list(VERBS[row.status]),
        }
    )
