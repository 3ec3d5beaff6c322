"""Forgetting customers, and saying so only when it is true.

The worker deletes in its own store, waits until no membership names the customer, and confirms. Other
processes of this service (API replicas) have stores of their own, which delete when their feed passes the
same event; `/readyz` shows how far behind they are. A process that is down while this happens still has
the rows in its file, and deletes them on its next start before it catches up with anything later.
"""

import asyncio
from collections.abc import Sequence

import duckdb
from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Erasure
from services.segmentation.queries.memberships import any_member
from services.segmentation.settings import SegmentationSettings
from services.segmentation.store import families, touched
from services.segmentation.store.store import Store
from services.segmentation.usecases.churn_warnings import forget_warnings
from services.segmentation.usecases.feed import STREAM, CustomerFeed
from services.segmentation.usecases.ge_scores import forget_scores
from services.segmentation.usecases.snapshots import forget_in_snapshots
from services.segmentation.usecases.tier_moving import forget_tiers
from services.segmentation.usecases.training.forgetting import forget_in_runs
from shared import clock
from shared.contracts.events import CustomerErased, CustomerRef, SegmentationErasureConfirmed
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


async def keep_confirming(runtime: Runtime) -> None:
    """The worker's endless task."""
    settings = runtime.settings
    if not isinstance(settings, SegmentationSettings):
        raise TypeError(f"not the settings of this service: {type(settings)}")
    while True:
        await confirm_open(runtime)
        await asyncio.sleep(settings.confirm_every_seconds)


async def confirm_open(runtime: Runtime) -> None:
    """Carries out what is open; confirms what is gone from this process's store and from all memberships."""
    feed = runtime.resource(CustomerFeed)
    async with runtime.db.transaction() as session:
        open_ = await session.scalars(
            select(Erasure)
            .where(Erasure.confirmed_at.is_(None))
            .order_by(Erasure.receipt_id)
            .with_for_update(skip_locked=True)
        )
        for erasure in open_.all():
            refs = [CustomerRef.model_validate(each) for each in erasure.customers]
            # Behind the present position: a pass that has seen all up to here has not seen this.
            rows = await asyncio.to_thread(_erase, feed.store, refs, feed.watermark(STREAM) + 1)
            if await any_member(session, BitMap(each.ordinal for each in refs)):
                feed.changed.set()
                continue
            ordinals = [each.ordinal for each in refs]
            await forget_scores(session, ordinals)
            await forget_tiers(session, ordinals)
            await forget_warnings(session, ordinals)
            await forget_in_runs(session, ordinals)
            await forget_in_snapshots(session, ordinals)
            erasure.confirmed_at = clock.now()
            await session.flush()
            await emit(
                session,
                SegmentationErasureConfirmed(
                    receipt_id=erasure.receipt_id, rows=rows, confirmed_at=erasure.confirmed_at
                ),
            )


def _erase(store: Store, refs: Sequence[CustomerRef], applied: int) -> int:
    cursor: duckdb.DuckDBPyConnection
    with store.write() as cursor:
        touched.note(cursor, touched.named(erased=refs), applied)
        families.erase(cursor, refs, applied)
        return families.erased_rows(cursor, [each.ordinal for each in refs])
