"""Offers are written once."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Offer
from services.campaign.queries.catalogue import offer_view
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign import OfferView, OfferWrite
from shared.errors import Conflict


async def create_offer(session: AsyncSession, principal: Principal, request: OfferWrite) -> OfferView:
    if await session.get(Offer, request.key) is not None:
        raise Conflict(
            f"offer {request.key} exists; new terms are a new offer with a new key", slug="already-exists"
        )
    stored = request.model_dump(mode="json", include={"name", "terms"})
    plain = request.model_dump(exclude={"name", "terms"})
    offer = Offer(**plain, **stored, created_at=clock.now(), created_by=principal.id)
    session.add(offer)
    await session.flush()
    audit(session, principal, "create_offer", f"offer/{offer.key}")
    return offer_view(offer)
