"""Offers and scripts are written once; a script's next text is its next version."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Offer, Script
from services.campaign.queries.catalogue import offer_view, script_view
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign import OfferView, OfferWrite, ScriptView, ScriptWrite
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
    await audit(session, principal, "create_offer", f"offer/{offer.key}")
    return offer_view(offer)


async def create_script(session: AsyncSession, principal: Principal, request: ScriptWrite) -> ScriptView:
    """The next version of the key. Two writers at once wait for each other rather than collide."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 1))"), {"key": request.key}
    )
    last = await session.scalar(select(func.max(Script.version)).where(Script.key == request.key))
    script = Script(
        key=request.key,
        version=(last or 0) + 1,
        minutes=request.minutes,
        **request.model_dump(mode="json", include={"name", "steps"}),
        created_at=clock.now(),
        created_by=principal.id,
    )
    session.add(script)
    await session.flush()
    await audit(session, principal, "create_script", f"script/{script.key}@{script.version}")
    return script_view(script)
