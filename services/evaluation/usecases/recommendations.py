"""What people make of a recommendation."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.models import RecommendationRow
from services.evaluation.queries.recommendations import as_contract
from services.evaluation.usecases.follow_up import Credentials, draft
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.evaluation import Recommendation, RecommendationState
from shared.contracts.evaluation.recommendations import CreatedDraft
from shared.errors import Conflict, NotFound
from shared.service import Runtime


async def accept(
    session: AsyncSession,
    principal: Principal,
    recommendation_id: UUID,
    note: str,
    runtime: Runtime,
    credentials: Credentials,
) -> Recommendation:
    """Make what it asks for, then note the decision; what was accepted before is answered as it is.

    The row is held meanwhile: of two who accept at once, the second finds what the first has made. While the
    draft cannot be made, the recommendation stays open.
    """
    row = await _locked(session, recommendation_id)
    if row.state == RecommendationState.ACCEPTED:
        return as_contract(row)
    _require_open(row, RecommendationState.ACCEPTED)
    advice = as_contract(row)
    created = await draft(runtime, credentials, advice) if advice.follow_up == "draft_campaign" else None
    row.created = created.model_dump(mode="json") if created else None
    return await _decided(session, principal, row, RecommendationState.ACCEPTED, note, created)


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
    created: CreatedDraft | None,
) -> Recommendation:
    row.state, row.note = state.value, note or None
    row.decided_at, row.decided_by = clock.now(), principal.id
    await session.flush()
    detail: dict[str, object] | None = {"campaign": str(created.campaign_id)} if created else None
    await audit(session, principal, f"recommendation.{state.value}", str(row.id), detail)
    return as_contract(row)
