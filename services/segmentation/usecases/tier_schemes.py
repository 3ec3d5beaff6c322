"""Writing tier schemes."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models.tier import TierScheme
from services.segmentation.queries.tier_columns import codes_of
from services.segmentation.usecases.declaring import insert_new
from services.segmentation.usecases.numeric import check_numeric
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.segmentation.tiers import TierSchemeCreate, TierSchemePatch
from shared.errors import FieldError, Unprocessable
from shared.ids import new_id


async def create_scheme(session: AsyncSession, principal: Principal, wanted: TierSchemeCreate) -> TierScheme:
    """Raises `Unprocessable` for a feature that is not a number, `Conflict` for a taken key."""
    await check_numeric(session, [("/feature", wanted.feature)])
    now = clock.now()
    created = await insert_new(
        session,
        TierScheme,
        "scheme",
        id=new_id(),
        key=wanted.key,
        name=wanted.name.model_dump(),
        description=wanted.description,
        kind=wanted.kind,
        feature=wanted.feature,
        tiers={"tiers": [tier.model_dump() for tier in wanted.tiers]},
        minimum_stay_days=wanted.minimum_stay_days,
        created_by=principal.id,
        created_at=now,
        updated_at=now,
    )
    audit(session, principal, "create", f"tier-scheme/{created.key}")
    return created


async def edit_scheme(
    session: AsyncSession, principal: Principal, scheme: TierScheme, change: TierSchemePatch
) -> None:
    """Changes what is given; standings refer to tiers by place, so codes stay as they are."""
    if change.tiers is not None:
        given = [tier.model_dump() for tier in change.tiers]
        if codes_of(given) != codes_of(scheme.tiers["tiers"]):
            codes = ", ".join(codes_of(scheme.tiers["tiers"]))
            detail = f"must keep the codes {codes} in this order"
            raise Unprocessable(
                "The tiers are others: make another scheme.", errors=[FieldError("/tiers", detail)]
            )
        scheme.tiers = {"tiers": given}
    if change.name is not None:
        scheme.name = change.name.model_dump()
    if change.description is not None:
        scheme.description = change.description
    if change.minimum_stay_days is not None:
        scheme.minimum_stay_days = change.minimum_stay_days
    scheme.revision += 1
    scheme.updated_at = clock.now()
    await session.flush()
    detail_ = {"fields": sorted(change.model_fields_set)}
    audit(session, principal, "edit", f"tier-scheme/{scheme.key}", detail_)
