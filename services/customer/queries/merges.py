"""The ledger of merges as contracts: who was merged into whom, by which rules, and what builds on it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.history import open_reason
from services.customer.domain.survivorship import RULES
from services.customer.domain.vault import Vault
from services.customer.models import CustomerKey, Merge, MergeMember
from shared.contracts.customer.identity import ChoiceTaken, MergeMemberView, MergeSummary, MergeView
from shared.db import fetch
from shared.errors import NotFound

# Whatever took the survivor up or added to it since, and whatever was built on that in turn.
_LATER = """
WITH RECURSIVE later AS (
  SELECT id, survivor_id FROM merge WHERE id = %(merge)s
  UNION
  SELECT n.id, n.survivor_id FROM later l
  CROSS JOIN LATERAL (
    SELECT id FROM merge WHERE survivor_id = l.survivor_id
    UNION ALL SELECT merge_id FROM merge_member WHERE customer_id = l.survivor_id) AS t
  JOIN merge n ON n.id = t.id
  WHERE n.id > l.id AND n.undone_at IS NULL
)
SELECT id FROM later WHERE id <> %(merge)s ORDER BY id DESC
"""


async def undo_first(session: AsyncSession, merge_id: UUID) -> list[UUID]:
    """Merges in force that build on this one, the latest first: the order to undo them in."""
    return [row[0] for row in await fetch(session, _LATER, {"merge": merge_id})]


def merges(*, customer_id: UUID | None = None, undone: bool | None = None) -> Select[Any]:
    """The merge, its survivor's wrapped key and how many it took in."""
    members = (
        select(func.count())
        .select_from(MergeMember)
        .where(MergeMember.merge_id == Merge.id)
        .scalar_subquery()
    )
    statement = select(Merge, CustomerKey.wrapped_key, members).outerjoin(
        CustomerKey, CustomerKey.customer_id == Merge.survivor_id
    )
    if customer_id is not None:
        taken = select(MergeMember.merge_id).where(MergeMember.customer_id == customer_id)
        statement = statement.where(or_(Merge.survivor_id == customer_id, Merge.id.in_(taken)))
    if undone is not None:
        statement = statement.where(Merge.undone_at.is_not(None) if undone else Merge.undone_at.is_(None))
    return statement


def summary(vault: Vault, row: Sequence[Any]) -> MergeSummary:
    return MergeSummary(**_fields(vault, row))


async def merge_view(session: AsyncSession, vault: Vault, merge_id: UUID) -> MergeView:
    """404 when there is none or its survivor belongs to another branch."""
    row = (await session.execute(merges().where(Merge.id == merge_id))).one_or_none()
    if row is None:
        raise NotFound("There is no such merge in your organisation")
    members = await session.execute(
        select(MergeMember.customer_id, MergeMember.previous_survivor)
        .where(MergeMember.merge_id == merge_id)
        .order_by(MergeMember.customer_id)
    )
    merge: Merge = row[0]
    taken = {name: merge.choices[name] for name in (*RULES, "risk_level")}
    return MergeView(
        **_fields(vault, row),
        attributes=[ChoiceTaken.model_validate({"attribute": n, **choice}) for n, choice in taken.items()],
        merged=[MergeMemberView(customer_id=m[0], previous_survivor=m[1]) for m in members],
        undo_first=await undo_first(session, merge_id) if merge.undone_at is None else [],
    )


def _fields(vault: Vault, row: Sequence[Any]) -> dict[str, Any]:
    merge, key, members = row[:3]
    return {
        "id": merge.id,
        "survivor": merge.survivor_id,
        "members": members,
        "reason": open_reason(vault, merge.survivor_id, key, merge.reason),
        "merged_at": merge.merged_at,
        "merged_by": merge.merged_by,
        "undone_at": merge.undone_at,
        "undone_by": merge.undone_by,
        "undo_reason": open_reason(vault, merge.survivor_id, key, merge.undo_reason),
    }
