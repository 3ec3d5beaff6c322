"""One owner per data directory."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.embedded.errors import TakenError


class DirectoryLock:
    """An exclusive lock on a file that also names its holder's pid.

    The kernel drops the lock when the holder dies, however it dies; a file left behind is therefore never
    stale in effect, only in content, and is simply overwritten.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self._what = what
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise `TakenError` naming the pid that holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise TakenError(
                f"{self._what} is already in use by process {self.holder() or 'unknown'} "
                f"(lock {self.path}). Stop that one first (kill {self.holder() or '<pid>'}), "
                "or choose another --data-dir."
            ) from None
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    @property
    def mine(self) -> bool:
        return self._fd is not None

    def held(self) -> bool:
        """Whether anybody, this process included, holds the lock now."""
        if self.mine:
            return True
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(fd)

    def holder(self) -> int | None:
        """The pid written in the file: the holder's while `held`, a predecessor's otherwise."""
        try:
            text = self.path.read_text().strip()
        except FileNotFoundError:
            return None
        return int(text) if text.isdigit() else None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
