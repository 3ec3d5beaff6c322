"""What people make of a recommendation."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.models import RecommendationRow
from services.evaluation.queries.recommendations import as_contract
from services.evaluation.usecases.follow_up import draft_campaign, draft_segment, stop_campaign
from services.evaluation.usecases.in_person import Credentials
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.evaluation import Recommendation, RecommendationState
from shared.contracts.evaluation.recommendations import FollowUp
from shared.errors import Conflict, NotFound
from shared.service import Runtime

_DRAFTS = frozenset({FollowUp.DRAFT_CAMPAIGN, FollowUp.DRAFT_SEGMENT})


async def accept(
    session: AsyncSession,
    principal: Principal,
    recommendation_id: UUID,
    note: str,
    runtime: Runtime,
    credentials: Credentials,
) -> Recommendation:
    """Do what it asks for, then note the decision; what was accepted before is answered as it is.

    The row is held meanwhile: of two who accept at once, the second finds what the first has made. While
    something of it cannot be done, the recommendation stays open.
    """
    await _begin(runtime, principal, recommendation_id, credentials)
    row = await _locked(session, recommendation_id)
    if row.state == RecommendationState.ACCEPTED:
        return as_contract(row)
    _require_open(row, RecommendationState.ACCEPTED)
    advice = as_contract(row)
    detail: dict[str, object] | None = None
    if advice.follow_up in _DRAFTS:
        created = await draft_campaign(runtime, credentials, advice)
        row.created = created.model_dump(mode="json")
        detail = {"campaign": str(created.campaign_id)}
    elif advice.follow_up is FollowUp.STOP_CAMPAIGN:
        stopped = await stop_campaign(runtime, credentials, advice, note)
        row.stopped = stopped.value
        detail = {"stopped": stopped.value}
    return await _decided(session, principal, row, RecommendationState.ACCEPTED, note, detail)


async def _begin(
    runtime: Runtime, principal: Principal, recommendation_id: UUID, credentials: Credentials
) -> None:
    """The segment comes first, in a transaction of its own: should the campaign be refused then, the
    recommendation says how far it got, and is accepted again from there.
    """
    async with runtime.db.transaction(principal.scope, actor=principal.id) as session:
        row = await _locked(session, recommendation_id)
        advice = as_contract(row)
        begun = advice.state is not RecommendationState.OPEN or advice.created_segment is not None
        if begun or advice.follow_up is not FollowUp.DRAFT_SEGMENT:
            return
        made = await draft_segment(runtime, credentials, advice)
        row.segment = made.model_dump(mode="json")
        await session.flush()
        detail: dict[str, object] = {"segment": made.segment_key}
        audit(session, principal, "recommendation.segment_drafted", str(row.id), detail)


async def reject(
    session: AsyncSession, principal: Principal, recommendation_id: UUID, note: str
) -> Recommendation:
    """A decision stands: only an open one can be rejected."""
    row = await _locked(session, recommendation_id)
    _require_open(row, RecommendationState.REJECTED)
    return await _decided(session, principal, row, RecommendationState.REJECTED, note, None)


async def _locked(session: AsyncSession, recommendation_id: UUID) -> RecommendationRow:
    row = await session.get(RecommendationRow, recommendation_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no recommendation with this id in your organisation.")
    return row


def _require_open(row: RecommendationRow, state: RecommendationState) -> None:
    if row.state != RecommendationState.OPEN:
        raise Conflict(
            f"The recommendation is {row.state}: only an open one can be {state.value}.",
            slug="illegal-transition",
        )


async def _decided(
    session: AsyncSession,
    principal: Principal,
    row: RecommendationRow,
    state: RecommendationState,
    note: str,
    detail: dict[str, object] | None,
) -> Recommendation:
    row.state, row.note = state.value, note or None
    row.decided_at, row.decided_by = clock.now(), principal.id
    await session.flush()
    audit(session, principal, f"recommendation.{state.value}", str(row.id), detail)
    return as_contract(row)
