"""One chunk of a relations file: both ends are identities in the file's source."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.usecases.import_reading import Chunk, ChunkResult, Rejection
from services.customer.usecases.relations import Taken, Told, take_relations

_COLUMN = {"from": "from_id", "to": "to_id", "kind": "kind"}


@dataclass(frozen=True, slots=True)
class RelationRows:
    """Takes the rows of one relations file for who uploaded it, and when."""

    uploaded_by: str
    uploaded_at: datetime

    async def begin(self, session: AsyncSession) -> None:
        """Nothing to know before."""

    def prepare(self, chunk: Chunk) -> Chunk:
        return chunk

    async def take(self, session: AsyncSession, chunk: Chunk) -> ChunkResult:
        chunk = chunk.without(_backwards(chunk))
        told = [_told(chunk, position) for position in range(len(chunk.rows))]
        taken = await take_relations(session, told, self.uploaded_by, self.uploaded_at)
        rejected = [
            Rejection(row, _COLUMN[one.end], one.detail)
            for row, one in zip(chunk.rows, taken, strict=True)
            if one.status == "rejected"
        ]
        return ChunkResult(
            rejected=[*chunk.rejected, *rejected],
            created=_count(taken, "created"),
            updated=_count(taken, "updated"),
            unchanged=_count(taken, "unchanged"),
        )


def _count(taken: list[Taken], status: str) -> int:
    return sum(one.status == status for one in taken)


def _backwards(chunk: Chunk) -> list[Rejection]:
    return [
        Rejection(row, "valid_to", "must be after valid_from")
        for row, begin, end in zip(
            chunk.rows, chunk.columns["valid_from"], chunk.columns["valid_to"], strict=True
        )
        if begin is not None and end is not None and end <= begin
    ]


def _told(chunk: Chunk, position: int) -> Told:
    def value(name: str) -> str | None:
        return chunk.columns[name][position]

    def day(name: str) -> date | None:
        text = value(name)
        return date.fromisoformat(text) if text else None

    def part(name: str) -> Decimal | None:
        text = value(name)
        return Decimal(text) if text else None

    source = value("source") or ""
    return Told(
        from_id=None,
        from_source=source,
        from_source_id=value("from_id"),
        to_id=None,
        to_source=source,
        to_source_id=value("to_id"),
        kind=value("kind") or "",
        source=source,
        valid_from=day("valid_from"),
        valid_to=day("valid_to"),
        share=part("share"),
        strength=part("strength"),
    )
