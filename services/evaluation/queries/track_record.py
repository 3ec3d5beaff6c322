"""What accepted recommendations predicted, beside what the campaigns showed that followed them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.calibration import Estimate, Outcome, compared, summarised
from services.evaluation.models import RecommendationRow, Registration
from services.evaluation.queries.campaigns import plan_of
from services.evaluation.queries.recommendations import as_contract
from services.evaluation.queries.results import newest_of_all
from shared.contracts.evaluation import Action, CampaignResult, Recommendation, RecommendationState
from shared.contracts.evaluation.recommendations import (
    Calibration,
    StoppedCampaign,
    TrackedRecommendation,
    TrackRecord,
)


async def track_record(session: AsyncSession) -> TrackRecord:
    """Newest decision first. A follow-up counts once all of its outcome windows have passed."""
    followed = await _accepted(session, RecommendationRow.created.is_not(None))
    stops = await _accepted(session, RecommendationRow.document["action"].astext == Action.STOP.value)
    rounds = await _rounds(session, followed)
    results = await newest_of_all(session, [found.campaign_id for found in rounds.values()])
    items: list[tuple[TrackedRecommendation, Outcome]] = []
    waiting = 0
    for advice in followed:
        later = rounds.get(advice.id)
        result = results.get(later.campaign_id) if later else None
        if later is None or result is None or result.matured < 1:
            waiting += 1
            continue
        found = _tracked(advice, later, result)
        if found is not None:
            items.append(found)
    return TrackRecord(
        items=[item for item, _ in items],
        overall=_calibration(None, [outcome for _, outcome in items]),
        by_action=[
            _calibration(action, told)
            for action in Action
            if (told := [outcome for item, outcome in items if item.action is action])
        ],
        stopped=[_stopped(advice) for advice in stops],
        waiting=waiting,
        not_launched=len(followed) - len(rounds),
        not_comparable=len(followed) - waiting - len(items),
    )


async def _accepted(session: AsyncSession, condition: ColumnElement[bool]) -> list[Recommendation]:
    rows = await session.scalars(
        select(RecommendationRow)
        .where(RecommendationRow.state == RecommendationState.ACCEPTED.value, condition)
        .order_by(RecommendationRow.decided_at.desc(), RecommendationRow.id)
    )
    return [as_contract(row) for row in rows]


def _stopped(advice: Recommendation) -> StoppedCampaign:
    return StoppedCampaign.model_validate(
        advice.model_dump(include=set(StoppedCampaign.model_fields)) | {"recommendation_id": advice.id}
    )


async def _rounds(session: AsyncSession, followed: Sequence[Recommendation]) -> dict[UUID, Registration]:
    """The campaign that was launched to follow each; the first one, should there be several."""
    ids = [str(advice.id) for advice in followed]
    follows = Registration.plan["recommendation_id"].astext
    rows = await session.scalars(
        select(Registration).where(follows.in_(ids)).order_by(Registration.launched_at.desc())
    )
    return {UUID(row.plan["recommendation_id"]): row for row in rows}


def _tracked(
    advice: Recommendation, later: Registration, result: CampaignResult
) -> tuple[TrackedRecommendation, Outcome] | None:
    """None where the two do not speak of the same, or nothing was predicted or shown."""
    told = advice.prediction
    shown = result.primary.overall if result.primary else None
    if told is None or shown is None or result.primary is None or advice.decided_at is None:
        return None
    if result.primary.metric != told.metric:
        return None
    predicted = _estimate(told.value, told.ci, told.alpha)
    realised = _estimate(shown.difference, shown.ci, plan_of(later).alpha)
    outcome = compared(predicted, realised)
    item = TrackedRecommendation(
        recommendation_id=advice.id,
        campaign_key=advice.campaign_key,
        action=advice.action,
        outcome=advice.outcome,
        decided_at=advice.decided_at,
        follow_up_id=later.campaign_id,
        follow_up_key=later.key,
        metric=told.metric,
        predicted=told.value,
        predicted_ci=told.ci,
        realised=shown.difference,
        realised_ci=shown.ci,
        inside=outcome.inside,
        ratio=outcome.ratio,
    )
    return item, outcome


def _estimate(value: object, ends: tuple[object, object], alpha: float) -> Estimate:
    low, high = (float(str(end)) for end in ends)
    return Estimate(float(str(value)), (low, high), alpha)


def _calibration(action: Action | None, found: Sequence[Outcome]) -> Calibration:
    summary = summarised(found)
    return Calibration(action=action, n=summary.n, inside=summary.inside, mean_ratio=summary.mean_ratio)
