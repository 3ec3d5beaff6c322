"""Forgetting customers, and saying so only when it is true.

The worker deletes in its own store and then confirms, in one go: nothing of the erased is taken from any
stream afterwards. Other processes of this service (API replicas) have stores of their own, which delete when
their feed passes the same event; `/readyz` shows how far behind they are. A process that is down while this
happens still has the rows in its file, and deletes them on its next start before it answers as ready.
Results that were published are sums over people and stay.
"""

from collections.abc import Callable, Sequence

import duckdb
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.models import Erasure
from services.evaluation.store import Store, families
from shared import clock
from shared.contracts.events import CustomerErased, CustomerRef, EvaluationErasureConfirmed
from shared.outbox import emit
from shared.service import Runtime


async def note_erasure(session: AsyncSession, event: CustomerErased) -> None:
    """Remembers the receipt until it is confirmed."""
    await session.execute(
        insert(Erasure)
        .values(
            receipt_id=event.receipt_id,
            customers=[each.model_dump(mode="json") for each in event.customers],
            erased_at=event.erased_at,
        )
        .on_conflict_do_nothing()
    )


async def confirm_open(runtime: Runtime) -> None:
    """Carries out what is open, and confirms it."""
    async with runtime.db.transaction() as session:
        open_ = await session.scalars(
            select(Erasure)
            .where(Erasure.confirmed_at.is_(None))
            .order_by(Erasure.receipt_id)
            .with_for_update(skip_locked=True)
        )
        for erasure in open_.all():
            refs = [CustomerRef.model_validate(each) for each in erasure.customers]
            rows = await runtime.resource(Store).write(_erasing(refs))
            erasure.confirmed_at = clock.now()
            await session.flush()
            await emit(
                session,
                EvaluationErasureConfirmed(
                    receipt_id=erasure.receipt_id, rows=rows, confirmed_at=erasure.confirmed_at
                ),
            )


def _erasing(refs: Sequence[CustomerRef]) -> Callable[[duckdb.DuckDBPyConnection], int]:
    def erase(cursor: duckdb.DuckDBPyConnection) -> int:
        families.erase(cursor, refs)
        return families.erased_rows(cursor, [each.customer_id for each in refs])

    return erase
