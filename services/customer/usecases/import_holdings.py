"""One chunk of a holdings file."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Product
from services.customer.usecases.import_customers import ChunkResult
from services.customer.usecases.import_reading import Chunk, Rejection
from services.customer.usecases.measures import apply_columns
from shared import clock
from shared.db import fetch

_OWNERS = """
SELECT (i.n - 1)::int, c.id
FROM unnest(%(source)b::text[], %(source_id)b::text[]) WITH ORDINALITY AS i(source, source_id, n)
JOIN source_identity s USING (source, source_id) JOIN customer c ON c.id = s.customer_id
"""


async def import_holdings(session: AsyncSession, chunk: Chunk, uploaded_at: datetime) -> ChunkResult:
    """Apply one chunk; the upload's time orders it among other measures of the same day."""
    chunk = chunk.without(await _unknown_products(session, chunk))
    identities = {"source": chunk.columns["source"], "source_id": chunk.columns["source_id"]}
    owners = dict(await fetch(session, _OWNERS, identities))
    orphans = [
        Rejection(row, "source_id", "is no customer you can see")
        for position, row in enumerate(chunk.rows)
        if position not in owners
    ]
    kept = sorted(owners)
    changed = 0
    if kept:
        columns: dict[str, Any] = {
            name: [chunk.columns[name][position] for position in kept]
            for name in ("account", "product", "balance", "currency", "as_of", "opened_on", "matures_on")
        }
        columns["customer_id"] = [owners[position] for position in kept]
        columns["measured_at"] = [uploaded_at] * len(kept)
        columns["closed_on"] = [None] * len(kept)
        changed = await apply_columns(session, columns)
    return ChunkResult(
        created=changed,
        updated=0,
        unchanged=max(len(kept) - changed, 0),
        rejected=[*chunk.rejected, *orphans],
    )


async def _unknown_products(session: AsyncSession, chunk: Chunk) -> list[Rejection]:
    codes = set(chunk.columns["product"])
    products = set(await session.scalars(select(Product.code).where(Product.code.in_(codes))))
    today = clock.today()
    rejected = [
        Rejection(row, "product", "is not in the product catalogue")
        for row, code in zip(chunk.rows, chunk.columns["product"], strict=True)
        if code not in products
    ]
    rejected += [
        Rejection(row, "as_of", "is in the future")
        for row, day in zip(chunk.rows, chunk.columns["as_of"], strict=True)
        if day is not None and date.fromisoformat(day) > today
    ]
    return rejected
