"""Numbers that do not depend on the number of cores.

Sums split over threads are rounded differently for each number of threads. So every computation
that rounds runs in one thread, and whole computations run beside each other.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import joblib
from threadpoolctl import threadpool_limits

T = TypeVar("T")
Progress = Callable[[float], None]
"""Told the finished share, 0 to 1, in the caller's thread. What it raises ends the computation."""


@contextmanager
def single_threaded() -> Iterator[None]:
    """BLAS and OpenMP use one thread in here. BLAS is limited in the whole process meanwhile."""
    with threadpool_limits(limits=1):
        yield


def side_by_side(
    works: Sequence[Callable[[], T]], progress: Progress | None = None, threads: int | None = None
) -> list[T]:
    """Results in the order of `works`, each computed in one thread; `threads` defaults to the cores.

    The first error ends it: works that have not begun are dropped, running ones are waited for.
    """
    with single_threaded(), _pool(min(threads or joblib.cpu_count(), len(works))) as pool:
        futures = [pool.submit(work) for work in works]
        results = []
        try:
            for done, future in enumerate(futures, 1):
                results.append(future.result())
                if progress is not None:
                    progress(done / len(futures))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return results


def _pool(threads: int) -> ThreadPoolExecutor:
    # OpenMP's limit belongs to a thread: each of the pool has to set its own.
    return ThreadPoolExecutor(threads, "ensemble", _alone)


def _alone() -> None:
    threadpool_limits(limits=1, user_api="openmp")
