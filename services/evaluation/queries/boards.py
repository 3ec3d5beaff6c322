"""What the boards draw: registrations and results from the database, people and money from the store."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import reduce
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.exposure import Effort, FunnelCounts, Stages
from services.evaluation.models import Course, RecommendationRow, Registration
from services.evaluation.queries import recommendations, results
from services.evaluation.queries.campaigns import plan_of
from services.evaluation.queries.metrics import frozen
from shared.contracts.base import LocalText
from shared.contracts.evaluation import (
    BoardCampaign,
    BoardEffect,
    BoardProgress,
    BoardRecommendation,
    BoardTotals,
    CampaignResult,
    Funnel,
    FunnelGroup,
    Recommendation,
    StrategyBoard,
)
from shared.verdicts import readable


async def strategy_board(session: AsyncSession, effort: Mapping[UUID, Effort], at: datetime) -> StrategyBoard:
    """Every campaign the reader's organisation takes part in, newest launch first."""
    joined = select(Registration, Course).join(Course).order_by(Registration.launched_at.desc())
    rows = [(registration, course) for registration, course in await session.execute(joined)]
    keys = [registration.campaign_id for registration, _ in rows]
    found = await results.newest_of_all(session, keys)
    advice = await _newest_advice(session, keys)
    campaigns = [
        board_campaign(registration, course, found.get(key), advice.get(key), effort.get(key, Effort()))
        for key, (registration, course) in zip(keys, rows, strict=True)
    ]
    open_ = await session.scalar(
        select(func.count()).select_from(RecommendationRow).where(RecommendationRow.state == "open")
    )
    return StrategyBoard(as_of=at, totals=_totals(campaigns, open_ or 0), campaigns=campaigns)


async def _newest_advice(session: AsyncSession, campaigns: list[UUID]) -> dict[UUID, Recommendation]:
    statement = (
        select(RecommendationRow)
        .where(RecommendationRow.campaign_id.in_(campaigns))
        .ext(distinct_on(RecommendationRow.campaign_id))
        .order_by(RecommendationRow.campaign_id, RecommendationRow.issued_at.desc())
    )
    return {row.campaign_id: recommendations.as_contract(row) for row in await session.scalars(statement)}


def board_campaign(
    registration: Registration,
    course: Course,
    result: CampaignResult | None,
    advice: Recommendation | None,
    effort: Effort,
) -> BoardCampaign:
    plan, effect = plan_of(registration), _effect(result) if result else None
    metric = frozen(registration).get(plan.primary_metric)
    incremental = effect.incremental if effect else None
    return BoardCampaign.model_validate(
        {
            "campaign_id": registration.campaign_id,
            "key": registration.key,
            "name": LocalText.model_validate(registration.name),
            "state": course.state,
            "orgs": registration.orgs,
            "starts_on": registration.starts_on,
            "ends_on": registration.ends_on,
            "primary_metric": plan.primary_metric,
            "metric_name": metric.name
            if metric
            else LocalText(zh=plan.primary_metric, en=plan.primary_metric),
            "currency": metric.currency if metric else None,
            "target": plan.target,
            "target_reached": float(incremental / plan.target)
            if incremental is not None and plan.target
            else None,
            "progress": _progress(effort),
            "effect": effect,
            "recommendation": _advice(advice) if advice else None,
        }
    )


def _progress(effort: Effort) -> BoardProgress:
    return BoardProgress(
        assigned=effort.assigned,
        hold_out=effort.held_out,
        contacted=effort.contacted,
        # Somebody held out may have been contacted all the same.
        share=min(effort.contacted / effort.assigned, 1.0) if effort.assigned else 0.0,
        minutes=effort.minutes,
        contact_cost=effort.cost,
    )


def _effect(result: CampaignResult) -> BoardEffect:
    overall = result.primary.overall if result.primary else None
    return BoardEffect(
        verdict=result.health.verdict,
        difference=overall.difference if overall else None,
        ci=overall.ci if overall else None,
        p_value=overall.p_value if overall else None,
        incremental=result.money.incremental if result.money else None,
        incremental_ci=result.money.ci if result.money else None,
        matured=result.matured,
        readable=readable(result),
        evaluated_at=result.evaluated_at,
    )


def _advice(advice: Recommendation) -> BoardRecommendation:
    return BoardRecommendation(
        id=advice.id,
        action=advice.action,
        outcome=advice.outcome,
        state=advice.state,
        title=advice.title,
        stopped=advice.stopped,
    )


def _totals(campaigns: Iterable[BoardCampaign], open_recommendations: int) -> BoardTotals:
    every = list(campaigns)
    money = [
        campaign.effect.incremental
        for campaign in every
        if campaign.currency == "CNY" and campaign.effect and campaign.effect.incremental is not None
    ]
    return BoardTotals(
        running=sum(campaign.state != "completed" for campaign in every),
        completed=sum(campaign.state == "completed" for campaign in every),
        customers_assigned=sum(campaign.progress.assigned for campaign in every),
        customers_contacted=sum(campaign.progress.contacted for campaign in every),
        incremental=sum(money, Decimal()) if money else None,
        open_recommendations=open_recommendations,
    )


def campaign_funnel(course: Course, counts: FunnelCounts, at: datetime, *, whole: bool) -> Funnel:
    """`whole`: the reader sees the whole campaign, so the ledger speaks of the same people."""
    ledger = (course.ledger or {}) if whole else {}
    by_arm, days = counts.by_arm, counts.retained_days
    treated = [stages for arm, stages in by_arm.items() if arm]
    return Funnel(
        campaign_id=course.campaign_id,
        as_of=at,
        targeted=ledger.get("audience", sum(stages.assigned for stages in by_arm.values())),
        suppressed=ledger.get("suppressed", {}),
        retained_days=days,
        treated=funnel_group(reduce(Stages.plus, treated, Stages()), days),
        hold_out=funnel_group(by_arm.get("", Stages()), days),
        arms={arm: funnel_group(stages, days) for arm, stages in sorted(by_arm.items()) if arm},
    )


def funnel_group(stages: Stages, retained_days: int | None) -> FunnelGroup:
    return FunnelGroup(
        assigned=stages.assigned,
        contacted=stages.contacted,
        reached=stages.reached,
        responded=stages.responded,
        converted=stages.converted,
        retained=None if retained_days is None else stages.retained,
    )
