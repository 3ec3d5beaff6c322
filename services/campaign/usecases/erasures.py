"""Forgetting customers: attributes, memberships, suppressions, quotes and free text go; the ledger keeps its
counts.

Everything this service knows is in its database, so the deletion and its confirmation are one transaction.
"""

from typing import LiteralString

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Contact, ErasedCustomer
from services.campaign.usecases.account_ends import forget_accounts
from services.campaign.usecases.forgetting import wait_for_writers
from services.campaign.usecases.referral_ends import forget_referrals
from services.campaign.usecases.withdrawal import expire_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.events import CampaignErasureConfirmed, CustomerErased
from shared.db import fetch
from shared.outbox import emit

_BY = "system:erasure"

_FORGET: tuple[LiteralString, ...] = (
    """
    UPDATE known_customer SET status = 'erased', primary_manager = NULL, backup_manager = NULL,
      risk_level = NULL, risk_valid_until = NULL, consents = '{}'
    WHERE id = ANY(%(ids)b::uuid[]) RETURNING 1
    """,
    "DELETE FROM segment_member WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1",
    "DELETE FROM trigger_entry WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1",
    """
    DELETE FROM withdrawal w USING contact c
    WHERE c.id = w.contact_id AND c.customer_id = ANY(%(ids)b::uuid[]) AND c.arm IS NOT NULL RETURNING 1
    """,
    """
    DELETE FROM journey_run r USING contact c
    WHERE c.id = r.contact_id AND c.customer_id = ANY(%(ids)b::uuid[]) AND c.arm IS NOT NULL RETURNING 1
    """,
    "DELETE FROM journey_run WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1",
    "DELETE FROM optimised_contact WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1",
    "DELETE FROM suppression WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1",
    "DELETE FROM price_quote WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1",
    "DELETE FROM outside_contact WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1",
    "DELETE FROM known_contribution WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1",
    """
    UPDATE attempt a SET note = NULL FROM contact c
    WHERE c.id = a.contact_id AND c.customer_id = ANY(%(ids)b::uuid[]) AND c.arm IS NOT NULL
      AND a.note IS NOT NULL RETURNING 1
    """,
    """
    UPDATE message m SET detail = NULL FROM contact c
    WHERE c.id = m.id AND c.customer_id = ANY(%(ids)b::uuid[]) AND c.arm IS NOT NULL
      AND m.detail IS NOT NULL RETURNING 1
    """,
    """
    DELETE FROM coaching_note n USING contact c
    WHERE c.id = n.task_id AND c.customer_id = ANY(%(ids)b::uuid[]) AND c.arm IS NOT NULL RETURNING 1
    """,
    """
    UPDATE feedback f SET text = NULL, answer = NULL FROM contact c
    WHERE c.id = f.task_id AND c.customer_id = ANY(%(ids)b::uuid[]) AND c.arm IS NOT NULL
      AND (f.text IS NOT NULL OR f.answer IS NOT NULL) RETURNING 1
    """,
    """
    UPDATE contact SET evidence = NULL
    WHERE customer_id = ANY(%(ids)b::uuid[]) AND evidence IS NOT NULL RETURNING 1
    """,
)

# Answers kept for repeated requests may show what was noted.
_ANSWERS = """
DELETE FROM stored_answer s
WHERE EXISTS (SELECT 1 FROM unnest(%(needles)b::bytea[]) AS n WHERE position(n IN s.body) > 0) RETURNING 1
"""


async def forget(session: AsyncSession, event: CustomerErased) -> None:
    """All of it, and the confirmation with the number of rows that went or lost what was personal."""
    await wait_for_writers(session)
    now = clock.now()
    ids = sorted(each.customer_id for each in event.customers)
    await session.execute(
        insert(ErasedCustomer)
        .values([{"id": each, "receipt_id": event.receipt_id, "erased_at": event.erased_at} for each in ids])
        .on_conflict_do_nothing()
    )
    rows = await expire_contacts(
        session, Contact.customer_id.in_(ids) & Contact.arm.is_not(None), at=now, by=_BY, reason="erased"
    )
    rows += await forget_referrals(session, ids, at=now, by=_BY)
    rows += await forget_accounts(session, ids, at=now, by=_BY)
    for statement in _FORGET:
        rows += len(await fetch(session, statement, {"ids": ids}))
    rows += len(await fetch(session, _ANSWERS, {"needles": [str(each).encode() for each in ids]}))
    await emit(session, CampaignErasureConfirmed(receipt_id=event.receipt_id, rows=rows, confirmed_at=now))
    system = Principal(id=_BY, roles=frozenset(), org="hq")
    audit(session, system, "forget_customers", f"erasure/{event.receipt_id}", {"rows": rows})
