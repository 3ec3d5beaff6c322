"""Quotas of offers: declared, changed, and what exhaustion means for contacts that have not begun."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Offer, OfferQuota
from services.campaign.queries.families import PERSON
from services.campaign.queries.quotas import quota_view
from services.campaign.usecases.withdrawal import reopen_contacts, withdraw_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign import SuppressionReason
from shared.contracts.campaign.quotas import QuotaPatch, QuotaView, QuotaWrite
from shared.contracts.events import QuotaExhausted
from shared.db import fetch
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.outbox import emit
from shared.web import check_version

_BY = "system:quota"
_SYSTEM = Principal(id=_BY, roles=frozenset(), org="hq")
_BATCH = 1_000

# What has begun is let go on: it holds its unit.
_SOLD_OUT = """
SELECT t.id FROM offer_quota q
JOIN campaign_arm a ON a.offer = q.offer AND a.step = 'first'
JOIN campaign k ON k.id = a.campaign_id AND k.status IN ('launching', 'running', 'paused', 'draining')
JOIN task t ON t.campaign_id = a.campaign_id AND t.arm = a.key AND t.state NOT IN ('done', 'expired')
WHERE q.exhausted_at IS NOT NULL AND NOT EXISTS (SELECT FROM reservation r WHERE r.contact_id = t.id)
ORDER BY t.id LIMIT %(limit)s
"""

_SPENT = """
SELECT t.id FROM campaign_budget b
JOIN campaign k ON k.id = b.campaign_id AND k.status IN ('launching', 'running', 'paused', 'draining')
JOIN task t ON t.campaign_id = b.campaign_id AND t.state NOT IN ('done', 'expired')
WHERE b.exhausted_at IS NOT NULL AND NOT EXISTS (SELECT FROM reservation r WHERE r.contact_id = t.id)
ORDER BY t.id LIMIT %(limit)s
"""

# A person who meanwhile stands in the campaign by another file is not contacted a second time.
_ON_SALE_AGAIN = f"""
SELECT w.contact_id FROM withdrawal w
JOIN contact c ON c.id = w.contact_id
JOIN campaign k ON k.id = c.campaign_id AND k.status IN ('launching', 'running', 'paused', 'draining')
JOIN campaign_arm a ON a.campaign_id = c.campaign_id AND a.key = c.arm AND a.step = c.step
JOIN offer_quota q ON q.offer = a.offer AND q.exhausted_at IS NULL AND q.reserved + q.sold < q.units
LEFT JOIN known_customer p ON p.id = c.customer_id
WHERE w.reason = 'quota' AND NOT EXISTS (
  SELECT FROM known_customer f JOIN contact o ON o.customer_id = f.id AND o.campaign_id = c.campaign_id
  WHERE {PERSON.format("p")} IN (f.id, f.merged_into)
    AND f.id <> c.customer_id AND o.state IN ('assigned', 'done', 'held_out'))
ORDER BY w.contact_id LIMIT %(limit)s
"""  # noqa: S608 - constants


async def create_quota(session: AsyncSession, principal: Principal, request: QuotaWrite) -> QuotaView:
    """From now on: what was sold before is not counted."""
    if await session.get(Offer, request.offer) is None:
        errors = [FieldError("/offer", f"there is no offer {request.offer}")]
        raise Unprocessable("the quota is for no offer", errors=errors)
    # Without a unit nothing can be sold: exhausted from the beginning.
    now = clock.now()
    values = {
        **request.model_dump(),
        "exhausted_at": None if request.units else now,
        "changed_at": now,
        "changed_by": principal.id,
    }
    made = await session.scalar(
        insert(OfferQuota).values(values).on_conflict_do_nothing().returning(OfferQuota)
    )
    if made is None:
        raise Conflict(f"{request.offer} has a quota: change its units", slug="already-exists")
    await _tell_exhausted(session, made, None)
    audit(session, principal, "create_quota", f"offer/{made.offer}", {"units": made.units})
    return quota_view(made)


async def change_quota(
    session: AsyncSession, principal: Principal, offer: str, version: int, request: QuotaPatch
) -> QuotaView:
    quota = await session.get(OfferQuota, offer, with_for_update=True)
    if quota is None:
        raise NotFound(f"{offer} has no quota")
    check_version(quota.version, version)
    taken = quota.reserved + quota.sold
    if request.units < taken:
        errors = [FieldError("/units", f"{quota.sold} are sold and {quota.reserved} reserved")]
        raise Conflict("A quota is no less than what is sold and reserved", errors=errors, slug="below-sold")
    detail, before = {"before": quota.units, "units": request.units}, quota.exhausted_at
    quota.units, quota.version = request.units, quota.version + 1
    quota.changed_at, quota.changed_by = clock.now(), principal.id
    if quota.sold < quota.units:
        quota.exhausted_at = None
    else:
        quota.exhausted_at = quota.exhausted_at or quota.changed_at
    await session.flush()
    await _tell_exhausted(session, quota, before)
    audit(session, principal, "change_quota", f"offer/{offer}", detail)
    return quota_view(quota)


async def _tell_exhausted(session: AsyncSession, quota: OfferQuota, before: datetime | None) -> None:
    """A quota can be set to what is sold already, also to nothing: then no sale exhausts it."""
    if quota.exhausted_at is not None and before is None:
        event = QuotaExhausted(
            resource="offer", offer=quota.offer, units=quota.units, exhausted_at=quota.exhausted_at
        )
        await emit(session, event)


async def follow_quotas(session: AsyncSession) -> None:
    """Withdraw what waits for something sold out or spent, bring back what is on sale again: a batch each."""
    now = clock.now()
    reasons: tuple[tuple[SuppressionReason, Sequence[UUID]], ...] = (
        ("quota", await _ids(session, _SOLD_OUT)),
        ("budget", await _ids(session, _SPENT)),
    )
    for reason, contacts in reasons:
        if contacts:
            withdrawn = await withdraw_contacts(session, contacts, reason, at=now, by=_BY)
            # Another worker may have been first.
            if withdrawn:
                audit(session, _SYSTEM, "withdraw_contacts", reason, {"contacts": withdrawn})
    again = await _ids(session, _ON_SALE_AGAIN)
    if again:
        reopened = await reopen_contacts(session, again, at=now, by=_BY)
        if reopened:
            audit(session, _SYSTEM, "reopen_contacts", "quota", {"contacts": reopened})


async def _ids(session: AsyncSession, statement: LiteralString) -> list[UUID]:
    return [row[0] for row in await fetch(session, statement, {"limit": _BATCH})]
