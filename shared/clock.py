"""Business time. In production it is the system's; a bank's test environment may shift it.

`HUANYING_CLOCK_FILE` names a file that holds an offset in seconds. It is read again when it
changes, so every process of one environment moves together. Security decisions (token
expiry, leases, back-off) use the system's clock instead.
"""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ZONE = ZoneInfo(os.environ.get("HUANYING_ZONE", "Asia/Shanghai"))


class Clock:
    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._read_at: int | None = None
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._current_offset()

    def _current_offset(self) -> timedelta:
        if self._file is None:
            return self._offset
        try:
            changed = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return timedelta()
        if changed != self._read_at:
            self._offset = timedelta(seconds=float(self._file.read_text("ascii") or 0))
            self._read_at = changed
        return self._offset


def _from_environment() -> Clock:
    path = os.environ.get("HUANYING_CLOCK_FILE")
    return Clock(Path(path) if path else None)


_clock = _from_environment()


def now() -> datetime:
    """The business time, aware, in UTC."""
    return _clock.now()


def today() -> date:
    """The business date in the bank's zone."""
    return now().astimezone(ZONE).date()


def set_offset(file: Path, offset: timedelta) -> None:
    """Move every process that reads `file`. Written aside and renamed: a reader never sees half."""
    aside = file.with_suffix(".new")
    aside.write_text(str(offset.total_seconds()), "ascii")
    aside.replace(file)
