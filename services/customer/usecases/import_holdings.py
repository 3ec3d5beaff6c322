"""One chunk of a holdings file."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Product
from services.customer.usecases.import_reading import Chunk, ChunkResult, Rejection
from services.customer.usecases.measures import apply_columns
from shared import clock
from shared.db import fetch

_OWNERS = """
SELECT (i.n - 1)::int, c.id
FROM unnest(%(source)b::text[], %(source_id)b::text[]) WITH ORDINALITY AS i(source, source_id, n)
JOIN source_identity s USING (source, source_id) JOIN customer c ON c.id = s.customer_id
"""


@dataclass(frozen=True, slots=True)
class HoldingRows:
    """Takes the rows of one holdings file; `uploaded_at` orders them among other measures of the same day."""

    uploaded_at: datetime

    async def begin(self, session: AsyncSession) -> None:
        """Nothing to know before."""

    def prepare(self, chunk: Chunk) -> Chunk:
        return chunk

    async def take(self, session: AsyncSession, chunk: Chunk) -> ChunkResult:
        chunk = chunk.without(await _unknown_products(session, chunk))
        identities = {"source": chunk.columns["source"], "source_id": chunk.columns["source_id"]}
        owners = dict(await fetch(session, _OWNERS, identities))
        orphans = [
            Rejection(row, "source_id", "is no customer you can see")
            for position, row in enumerate(chunk.rows)
            if position not in owners
        ]
        kept = sorted(owners)
        changed = await self._apply(session, chunk, kept, owners) if kept else 0
        return ChunkResult(
            rejected=[*chunk.rejected, *orphans], created=changed, unchanged=max(len(kept) - changed, 0)
        )

    async def _apply(
        self, session: AsyncSession, chunk: Chunk, kept: list[int], owners: dict[int, UUID]
    ) -> int:
        columns: dict[str, Any] = {
            name: [chunk.columns[name][position] for position in kept]
            for name in ("account", "product", "balance", "currency", "as_of", "opened_on", "matures_on")
        }
        columns["customer_id"] = [owners[position] for position in kept]
        columns["measured_at"] = [self.uploaded_at] * len(kept)
        columns["closed_on"] = [None] * len(kept)
        return await apply_columns(session, columns)


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
