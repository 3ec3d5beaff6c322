"""Changing what separates the life-cycle stages."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.catalogue.life_cycle import STAGE
from services.segmentation.models import LifeCycleScheme, Segment
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.life_cycle import Scheme, current_scheme
from services.segmentation.usecases.feature_users import users_of_feature
from services.segmentation.usecases.segments import REFRESH
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.segmentation import SegmentState
from shared.contracts.segmentation.life_cycle import Thresholds
from shared.errors import FieldError, PreconditionFailed, Unprocessable
from shared.jobs import defer

_SEGMENT = "segment:"


async def change_scheme(
    session: AsyncSession, principal: Principal, before: Scheme, wanted: Thresholds
) -> Scheme:
    """The next version; live segments that ask for the stage are evaluated again.

    Raises `Unprocessable` where lost would begin before dormant.
    """
    if wanted.lost_days < wanted.dormant_days:
        detail = f"must not be less than dormant_days, {wanted.dormant_days}"
        raise Unprocessable("Nobody would ever be dormant.", errors=[FieldError("/lost_days", detail)])
    if wanted == before.thresholds:
        return before
    added = await session.scalar(
        insert(LifeCycleScheme)
        .values(
            version=before.version + 1,
            thresholds=wanted.model_dump(mode="json"),
            created_by=principal.id,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(LifeCycleScheme.version)
    )
    if added is None:
        raise PreconditionFailed("Somebody else has just changed the thresholds: read them again.")
    used_by = await users_of_feature(session, STAGE, await load_catalogue(session))
    keys = [name.removeprefix(_SEGMENT) for name in used_by if name.startswith(_SEGMENT)]
    ids = await session.scalars(
        select(Segment.id).where(Segment.key.in_(keys), Segment.state == SegmentState.live)
    )
    if segments := [str(each) for each in ids]:
        await defer(session, principal, REFRESH, {"segments": segments})
    audit(session, principal, "change", "life-cycle-scheme", {"version": before.version + 1})
    return await current_scheme(session)
