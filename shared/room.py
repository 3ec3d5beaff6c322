"""Whether there is room for more: on the disk, in the database, in the outbox. Asked before work is taken."""

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.db import Database
from shared.errors import Unavailable
from shared.settings import Settings

_FRESH_SECONDS = 1.0
_REMEMBERED_SECONDS = 5.0

# As many as count: what is beyond the limit need not be counted.
_BACKLOG = text("SELECT count(*) FROM (SELECT 1 FROM outbox WHERE sent_at IS NULL LIMIT :most) AS unsent")


@dataclass(frozen=True)
class Shortage:
    """What is lacking, and after how many seconds asking again makes sense."""

    reason: str
    retry_after: int


@dataclass
class Room:
    """Looks at most once a second; the answer of a database that was full is remembered for five."""

    db: Database
    settings: Settings
    _looked_at: float = 0.0
    _found: Shortage | None = None
    _full_until: float = field(default=0.0)

    async def require(self) -> None:
        """Refuse with 503 and Retry-After while there is no room."""
        shortage = await self.shortage()
        if shortage is not None:
            raise Unavailable(
                shortage.reason, slug="no-room", headers={"Retry-After": str(shortage.retry_after)}
            )

    async def shortage(self) -> Shortage | None:
        now = time.monotonic()
        if now - self._looked_at > _FRESH_SECONDS:
            self._found = self.disk() or self.database() or await self.backlog()
            self._looked_at = now
        return self._found

    def disk(self) -> Shortage | None:
        """Of the data directory: below the smaller of an amount and a share."""
        place = self.settings.data_dir
        usage = shutil.disk_usage(place if place.exists() else Path())
        need = min(self.settings.min_free_disk_bytes, int(usage.total * self.settings.min_free_disk_share))
        if usage.free >= need:
            return None
        reason = f"The disk is nearly full: {usage.free // 2**20} MiB free, {need // 2**20} MiB needed"
        return Shortage(reason, 60)

    def database(self) -> Shortage | None:
        """Whether it said a moment ago that it had no room."""
        left = self._full_until - time.monotonic()
        reason = "The database has no room left: disk, memory or connections"
        return Shortage(reason, 30) if left > 0 else None

    async def backlog(self) -> Shortage | None:
        """Events the broker has not taken. They are safe; more of them would fill the database."""
        most = self.settings.max_outbox_backlog
        async with self.db.transaction() as session:
            unsent = int(await session.scalar(_BACKLOG, {"most": most + 1}) or 0)
        reason = f"More than {most} events wait for the broker"
        return Shortage(reason, 5) if unsent > most else None

    def note(self, error: DBAPIError) -> None:
        """Remember an answer of class 53 (insufficient resources): the next requests need not ask."""
        if str(getattr(error.orig, "sqlstate", "") or "").startswith("53"):
            self._full_until = time.monotonic() + _REMEMBERED_SECONDS
            self._looked_at = 0.0
