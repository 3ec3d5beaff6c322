"""The bank's stages are written once; the next list is the next version, and holds from then on."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.opportunities import check_stages
from services.campaign.models import Opportunity, OpportunityStages
from services.campaign.queries.opportunities import stages_view
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.opportunities import StageList, StageListWrite
from shared.errors import Conflict


async def write_stages(session: AsyncSession, principal: Principal, request: StageListWrite) -> StageList:
    """Every stage where an open opportunity stands remains on the list."""
    check_stages(request.stages)
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('huanying.opportunity-stages'))"))
    kept = [stage.key for stage in request.stages]
    taken = await session.scalars(
        select(Opportunity.stage)
        .where(Opportunity.status == "open", Opportunity.stage.not_in(kept))
        .group_by(Opportunity.stage)
        .order_by(Opportunity.stage)
    )
    left = ", ".join(taken)
    if left:
        raise Conflict(f"open opportunities stand in {left}: move them first", slug="stage-in-use")
    last = await session.scalar(select(func.max(OpportunityStages.version)))
    row = OpportunityStages(
        version=(last or 0) + 1,
        content=request.model_dump(mode="json"),
        created_at=clock.now(),
        created_by=principal.id,
    )
    session.add(row)
    await session.flush()
    audit(session, principal, "write_stages", f"opportunity_stages/{row.version}", {"stages": kept})
    return stages_view(row)


async def hold_stages(session: AsyncSession) -> None:
    """Until this transaction ends the list stays as it is; those who move opportunities do not wait for each
    other.
    """
    await session.execute(
        text("SELECT pg_advisory_xact_lock_shared(hashtext('huanying.opportunity-stages'))")
    )
