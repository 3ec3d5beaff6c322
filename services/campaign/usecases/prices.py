"""Price lists are written once and approved by somebody else; until then the list in force goes on."""

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.wording import require_decidable
from services.campaign.models import PriceList
from services.campaign.queries.catalogue import version_of
from services.campaign.queries.prices import list_in_force, list_view
from services.campaign.usecases.versions import next_version
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.price_lists import PriceListView, PriceListWrite
from shared.errors import Conflict, NotFound


async def create_price_list(
    session: AsyncSession, principal: Principal, request: PriceListWrite
) -> PriceListView:
    """The next version of the key, in review."""
    row = PriceList(
        key=request.key,
        version=await next_version(session, PriceList, request.key),
        content=request.model_dump(mode="json"),
        created_at=clock.now(),
        created_by=principal.id,
        state="in_review",
    )
    session.add(row)
    await session.flush()
    audit(session, principal, "create_price_list", f"price_list/{row.key}@{row.version}")
    return list_view(row)


async def decide_price_list(
    session: AsyncSession,
    principal: Principal,
    ref: str,
    verb: Literal["approve", "reject"],
    comment: str | None,
) -> PriceListView:
    """Approved, it is in force at once, and open quotes have to be priced anew."""
    key, version = version_of(ref)
    row = await session.get(PriceList, (key, version), with_for_update=True)
    if row is None:
        raise NotFound(f"no price list {ref}")
    require_decidable(row.state, verb, author=row.created_by, checker=principal.id)
    if verb == "approve":
        await _require_newer(session, row)
    row.state = "approved" if verb == "approve" else "rejected"
    row.decided_at, row.decided_by, row.comment = clock.now(), principal.id, comment
    await session.flush()
    audit(session, principal, f"{verb}_price_list", f"price_list/{ref}", {"comment": comment})
    return list_view(row)


async def _require_newer(session: AsyncSession, row: PriceList) -> None:
    """Prices never go back to what was proposed before those in force."""
    in_force = await list_in_force(session, row.key)
    if in_force is not None and in_force.version > row.version:
        raise Conflict(
            f"{row.key}@{in_force.version} is in force already: propose these prices anew",
            slug="price-list-superseded",
        )
