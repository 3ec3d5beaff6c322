"""Recommendations, newest first."""

from decimal import Decimal
from math import sqrt
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.policies import Candidate
from services.evaluation.domain.policy_value import Gain
from services.evaluation.domain.recommend import Advice, Findings, expected
from services.evaluation.models import RecommendationRow
from services.evaluation.queries.documents import ends, number
from shared.contracts.base import Page
from shared.contracts.evaluation import Action, Outcome, Recommendation, RecommendationState
from shared.contracts.evaluation.recommendations import ArmRecord, PolicyValue, Prediction
from shared.contracts.metrics import MetricCreate
from shared.pagination import PageRequest, paginate

_FINE = Decimal("0.000001")


async def recommendation_page(
    session: AsyncSession,
    page: PageRequest,
    state: RecommendationState | None,
    campaign_id: UUID | None,
) -> Page[Recommendation]:
    statement = select(RecommendationRow)
    if state is not None:
        statement = statement.where(RecommendationRow.state == state.value)
    if campaign_id is not None:
        statement = statement.where(RecommendationRow.campaign_id == campaign_id)
    keys = [RecommendationRow.issued_at, RecommendationRow.id]
    return await paginate(session, statement, keys, page, _convert, descending=True)


async def newest(session: AsyncSession, campaign_id: UUID) -> Recommendation | None:
    statement = (
        select(RecommendationRow)
        .where(RecommendationRow.campaign_id == campaign_id)
        .order_by(RecommendationRow.issued_at.desc(), RecommendationRow.id.desc())
        .limit(1)
    )
    row = (await session.scalars(statement)).one_or_none()
    return as_contract(row) if row else None


def as_contract(row: RecommendationRow) -> Recommendation:
    decision = {
        "state": row.state,
        "decided_at": row.decided_at,
        "decided_by": row.decided_by,
        "note": row.note,
        "created": row.created,
        "created_segment": row.segment,
        "stopped": row.stopped,
    }
    return Recommendation.model_validate(row.document | decision)


def policy_value(candidate: Candidate, metric: MetricCreate, alpha: float, *, followed: bool) -> PolicyValue:
    lift = candidate.lift
    return PolicyValue(
        action=Action(candidate.action),
        outcome=Outcome(candidate.outcome),
        followed=followed,
        dimension=candidate.dimension,
        cells=list(candidate.cells),
        scheme=candidate.scheme,
        shares=dict(candidate.shares),
        arms=[
            ArmRecord(
                arm=arm.arm,
                n=arm.n,
                mean=Decimal(repr(arm.mean)).quantize(_FINE),
                deviation=sqrt(arm.m2 / (arm.n - 1)) if arm.n > 1 else 0.0,
            )
            for arm in candidate.arms
        ],
        n=candidate.gain.n,
        gain=number(candidate.gain.value, metric),
        ci=ends(candidate.interval, metric),
        p_value=candidate.p_value,
        gain_ipw=number(candidate.gain.ipw, metric),
        lift=number(lift.value, metric) if isinstance(lift, Gain) else None,
        lift_ci=ends(lift.interval(alpha), metric) if isinstance(lift, Gain) else None,
        n_needed=candidate.needed,
    )


def prediction(advice: Advice, found: Findings, metric: MetricCreate) -> Prediction | None:
    told = expected(advice, found)
    if told is None:
        return None
    value, interval = number(told[0], metric), ends(told[1], metric)
    return Prediction(metric=metric.key, value=value, ci=interval, alpha=found.alpha)


def _convert(row: Row[Any]) -> Recommendation:
    found: RecommendationRow = row[0]
    return as_contract(found)
