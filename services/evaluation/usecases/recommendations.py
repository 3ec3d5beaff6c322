"""What people make of a recommendation."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.models import RecommendationRow
from services.evaluation.queries.recommendations import as_contract
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.evaluation import Recommendation, RecommendationState
from shared.errors import Conflict, NotFound


async def decide(
    session: AsyncSession,
    principal: Principal,
    recommendation_id: UUID,
    state: RecommendationState,
    note: str,
) -> Recommendation:
    """Accept or reject an open recommendation; a decision stands."""
    row = await session.get(RecommendationRow, recommendation_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no recommendation with this id in your organisation.")
    if row.state != RecommendationState.OPEN:
        raise Conflict(
            f"The recommendation is {row.state}: only an open one can be {state.value}.",
            slug="illegal-transition",
        )
    row.state, row.note = state.value, note or None
    row.decided_at, row.decided_by = clock.now(), principal.id
    await session.flush()
    await audit(session, principal, f"recommendation.{state.value}", str(row.id))
    return as_contract(row)
