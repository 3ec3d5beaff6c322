"""Resident memory of a process, sampled while something runs in it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

_EVERY_SECONDS = 0.25


@asynccontextmanager
async def watched(pid: int) -> AsyncIterator[list[int]]:
    """Samples in bytes, as they come; the list goes on growing until the block ends."""
    samples: list[int] = []
    task = asyncio.create_task(_sample(psutil.Process(pid), samples))
    try:
        yield samples
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _sample(process: psutil.Process, samples: list[int]) -> None:
    while True:
        samples.append(process.memory_info().rss)
        await asyncio.sleep(_EVERY_SECONDS)


def growth(samples: list[int]) -> float:
    """Highest of the second half over the highest of the second quarter: 1 where memory is flat.

    The first quarter is left out: buffers, pools and plans come to be there.
    """
    quarter = max(len(samples) // 4, 1)
    early, late = samples[quarter : 2 * quarter] or samples, samples[2 * quarter :] or samples
    return max(late) / max(early)
