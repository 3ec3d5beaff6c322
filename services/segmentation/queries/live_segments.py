"""Live segments as passes need them, many times a second: their rows without what only people read."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import fetch

_LIVE = """
SELECT segment.id, segment.key, segment.kind, segment.refresh, segment.version, segment.live_version,
  segment.evaluated_version, segment.evaluated_at, decides.sql
FROM segment LEFT JOIN segment_version AS decides
  ON decides.segment_id = segment.id AND decides.version = segment.live_version
WHERE segment.state = 'live' ORDER BY segment.key
"""


@dataclass(frozen=True)
class LiveSegment:
    """Named as the columns of `Segment`."""

    id: UUID
    key: str
    kind: str
    refresh: str
    version: int
    live_version: int | None
    evaluated_version: int | None
    evaluated_at: datetime | None
    sql: str | None
    """The rule of the version that decides; null for clusters."""


async def live_segments(session: AsyncSession) -> list[LiveSegment]:
    """Of every kind, by key."""
    return [LiveSegment(*row) for row in await fetch(session, _LIVE)]
