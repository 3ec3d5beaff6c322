"""Heavy computation of a job in a thread: it tells how far it is, and ends when the job is cancelled."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from shared.jobs import CancelledJobError, JobRun

Result = TypeVar("Result")

LOOK_SECONDS = 0.4


class Pulse:
    """How far the work is: told in its thread, read by its job. A cancellation takes effect when told."""

    def __init__(self) -> None:
        self.share = 0.0
        self.step = "waiting"
        self._cancelled = threading.Event()

    def tell(self, share: float, step: str) -> None:
        self.check()
        self.share, self.step = share, step

    def check(self) -> None:
        """Raises `CancelledJobError` once the job was cancelled."""
        if self._cancelled.is_set():
            raise CancelledJobError

    def cancel(self) -> None:
        self._cancelled.set()


async def in_thread(
    job: JobRun, work: Callable[[Pulse], Result], begin: float = 0.0, end: float = 1.0
) -> Result:
    """`work(pulse)` in a thread. Its progress is the job's from `begin` to `end`; cancelling the job cancels
    it.
    """
    pulse = Pulse()
    running = asyncio.create_task(asyncio.to_thread(work, pulse))
    try:
        while not running.done():
            await asyncio.wait({running}, timeout=LOOK_SECONDS)
            await job.progress(begin + pulse.share * (end - begin), pulse.step)
    except BaseException:
        pulse.cancel()
        raise
    return await running
