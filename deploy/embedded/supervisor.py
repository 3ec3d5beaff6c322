"""Starts again whatever has died, with growing patience."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deploy.embedded.errors import StackError
from deploy.embedded.member import Member

DELAYS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_SECONDS = 5.0
HOPELESS_AFTER = 4
LOOK_EVERY = 0.1


@dataclass
class _Record:
    deaths: int = 0
    """In a row, each soon after its start: what the patience grows with."""
    total: int = 0
    born: float = 0.0
    due: float | None = None


class Supervisor:
    """Watches `members` from a thread of its own until `stop`.

    `say(text, level)` is told of every death and restart, `changed()` after each restart (new pids).
    """

    def __init__(
        self, members: Mapping[str, Member], say: Callable[[str, int], None], *, changed: Callable[[], None]
    ) -> None:
        self._members = members
        self._say = say
        self._changed = changed
        self._records = {name: _Record(born=time.monotonic()) for name in members}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def hopeless(self, name: str) -> bool:
        """It has died so often that it will hardly ever start."""
        return self._records[name].total >= HOPELESS_AFTER

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            for name, member in self._members.items():
                if self._stopping.is_set():
                    break
                try:
                    self._look(name, member)
                except Exception as error:  # noqa: BLE001  a full disk must not end the supervision
                    self._say(f"{name}: {type(error).__name__}: {error}", logging.ERROR)

    def _look(self, name: str, member: Member) -> None:
        record = self._records[name]
        now = time.monotonic()
        if member.alive:
            if record.deaths and now - record.born > STEADY_SECONDS:
                record.deaths = 0
        elif record.due is None:
            delay = DELAYS[min(record.deaths, len(DELAYS) - 1)]
            record.deaths += 1
            record.total += 1
            record.due = now + delay
            self._say(f"{name} has died; starting it again in {delay:g} s", logging.WARNING)
        elif now >= record.due:
            self._restart(name, member, record)

    def _restart(self, name: str, member: Member, record: _Record) -> None:
        record.due = None
        record.born = time.monotonic()
        try:
            member.start()
        except (StackError, OSError) as error:
            # Still dead: the next look counts another death and waits longer.
            self._say(f"{name} could not be started: {error}", logging.ERROR)
            return
        self._say(f"{name} is running again (pid {member.pid})", logging.INFO)
        self._changed()
