"""Tiers of many customers as stored columns, in parts of 65,536 ordinals."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.tiers import Ladder, Moves, Standing
from services.segmentation.models.tier import TierMoves, TierOverride, TierStanding
from shared.contracts.segmentation.tiers import OverrideState

PART = 65_536
_STANDING_BYTES = PART * 6

_MOVES = pa.schema(
    [
        pa.field("ordinal", pa.uint32()),
        pa.field("before", pa.int8()),
        pa.field("after", pa.int8()),
        pa.field("value", pa.float64()),
    ]
)


def parts_of(ordinals: np.ndarray[tuple[int], np.dtype[np.integer]]) -> list[int]:
    found: list[int] = np.unique(np.asarray(ordinals, dtype=np.int64) // PART).tolist()
    return found


async def standing_of(
    session: AsyncSession, scheme_id: UUID, *, parts: Sequence[int] | None = None, upto: int = 0
) -> Standing:
    """Everybody's standing, indexed by ordinal and at least `upto` long; of these `parts` only if given."""
    statement = select(TierStanding).where(TierStanding.scheme_id == scheme_id)
    if parts is not None:
        statement = statement.where(TierStanding.part.in_(list(parts)))
    rows = list(await session.scalars(statement))
    last = max([row.part for row in rows] + list(parts or ()) + [upto // PART], default=0)
    standing = Standing.empty((last + 1) * PART)
    for row in rows:
        place = slice(row.part * PART, (row.part + 1) * PART)
        part = unpacked(row.standing)
        standing.tier[place], standing.since[place] = part.tier, part.since
        standing.direction[place] = part.direction
    return standing


async def was_applied(session: AsyncSession, scheme_id: UUID) -> bool:
    found = await session.scalar(
        select(TierStanding.part).where(TierStanding.scheme_id == scheme_id).limit(1)
    )
    return found is not None


def packed(standing: Standing, part: int) -> bytes:
    place = slice(part * PART, (part + 1) * PART)
    columns = (standing.tier, standing.since.astype("<i4"), standing.direction)
    compressed: bytes = pa.compress(b"".join(each[place].tobytes() for each in columns), "zstd", asbytes=True)
    return compressed


def unpacked(stored: bytes) -> Standing:
    raw = pa.decompress(stored, _STANDING_BYTES, "zstd", asbytes=True)
    return Standing(
        np.frombuffer(raw, np.int8, PART),
        np.frombuffer(raw, "<i4", PART, PART),
        np.frombuffer(raw, np.int8, PART, PART * 5),
    )


def packed_moves(moves: Moves) -> bytes:
    sink = pa.BufferOutputStream()
    columns = [moves.ordinals, moves.before, moves.after, moves.values]
    batch = pa.record_batch([pa.array(column) for column in columns], schema=_MOVES)
    with pa.ipc.new_stream(sink, _MOVES, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def unpacked_moves(stored: bytes) -> Moves:
    table = pa.ipc.open_stream(stored).read_all()
    return Moves(*(table[name].to_numpy() for name in _MOVES.names))


async def moves_of(session: AsyncSession, list_id: UUID) -> Moves:
    """All moves of one list."""
    statement = select(TierMoves.moves).where(TierMoves.list_id == list_id).order_by(TierMoves.part)
    return joined([unpacked_moves(stored) for stored in await session.scalars(statement)])


def joined(parts: Sequence[Moves]) -> Moves:
    if not parts:
        none = np.zeros(0, np.int8)
        return Moves(np.zeros(0, np.uint32), none, none, np.zeros(0))
    return Moves(
        np.concatenate([part.ordinals for part in parts]),
        np.concatenate([part.before for part in parts]),
        np.concatenate([part.after for part in parts]),
        np.concatenate([part.values for part in parts]),
    )


async def pinned(session: AsyncSession, scheme_id: UUID) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """Ordinals whose tier an override holds."""
    found = await session.scalars(
        select(TierOverride.ordinal).where(
            TierOverride.scheme_id == scheme_id, TierOverride.state == OverrideState.active
        )
    )
    return np.array(sorted(found), dtype=np.uint32)


def ladder_of(tiers: Sequence[Mapping[str, Any]], stay_days: int = 0) -> Ladder:
    """Of a scheme's tiers, from low to high."""
    return Ladder(
        [tier["upgrade_at"] for tier in tiers[1:]],
        [tier["downgrade_below"] for tier in tiers[1:]],
        stay_days,
    )


def codes_of(tiers: Iterable[dict[str, object]]) -> list[str]:
    return [str(tier["code"]) for tier in tiers]
