"""B4: a cluster ensemble with membership degrees, against as many k-means clusterings by scikit-learn.

Twelve prepared features, twenty base partitions, eight groups. Each side runs in a process of its own, by
turns, so that its peak memory is its own; the features are made before the clock starts. The reference
fits on a sample as large as the ensemble's and labels everybody, as many times as the ensemble has
partitions.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from benchmarks.figure import at_most
from benchmarks.workplace import Workplace
from services.segmentation.domain.ensemble import base_partitions, consensus_partition, membership_degree

FEATURES = 12
PARTITIONS = 20
GROUPS = 8
SAMPLE = 50_000
TURNS = 3
TARGET = 1.5
MOST_MEMORY = 2 * 2**30
LINEAR = 1.5


async def run(_place: Workplace, size: int) -> list[dict[str, Any]]:
    """Seconds over seconds (median of the turns), peak memory over its limit, and growth over linear."""
    ours, reference = [], []
    for _ in range(TURNS):
        ours.append(_measured("ensemble", size))
        reference.append(_measured("kmeans", size))
    fewer = _least([_measured("ensemble", size // 10) for _ in range(TURNS)], "seconds")
    spent, against = _least(ours, "seconds"), _least(reference, "seconds")
    peak = max(each["peak"] for each in ours)
    measured = f"{spent:.2f} s, processor {_least(ours, 'processor'):.2f} s"
    kmeans_seconds = f"{PARTITIONS} k-means {against:.2f} s, processor {_least(reference, 'processor'):.2f} s"
    limit = f"limit {MOST_MEMORY / 2**20:,.0f} MiB"
    tenth = f"a tenth of the customers {fewer:.2f} s"
    # Neighbours in time share what else the machine does; the least of each side need not.
    ratio = median(one["seconds"] / other["seconds"] for one, other in zip(ours, reference, strict=True))
    return [
        at_most("ensemble with degrees", measured, kmeans_seconds, ratio, TARGET),
        at_most("peak memory", f"{peak / 2**20:,.0f} MiB", limit, peak / MOST_MEMORY, 1.0),
        at_most("growth over linear", f"{spent:.2f} s", tenth, spent / fewer / 10, LINEAR),
    ]


def _least(turns: list[dict[str, float]], what: str) -> float:
    """What else runs on the machine only adds."""
    return min(each[what] for each in turns)


def _measured(what: str, size: int) -> dict[str, float]:
    """Runs this file in a process of its own."""
    # Threads that wait by spinning would charge a side for what else the machine does.
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.b4_ensemble", what, str(size)],
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def _customers(size: int) -> NDArray[np.float64]:
    """Eight kinds of different size and spread, and one customer in twenty like nobody."""
    rng = np.random.default_rng(4)
    centres = rng.normal(0, 3, (GROUPS, FEATURES))
    kind = rng.choice(GROUPS, size, p=np.arange(1, GROUPS + 1) / np.arange(1, GROUPS + 1).sum())
    x: NDArray[np.float64] = rng.standard_normal((size, FEATURES))
    x *= np.linspace(0.7, 1.3, GROUPS)[kind, None]
    x += centres[kind]
    alone = rng.random(size) < 0.05
    x[alone] = rng.normal(0, 4, (int(alone.sum()), FEATURES))
    return x


def ensemble(x: NDArray[np.float64]) -> None:
    labels = base_partitions(x, PARTITIONS, seed=1, sample=SAMPLE)
    groups = consensus_partition(labels, GROUPS, 1)
    membership_degree(labels, groups, GROUPS)


def kmeans(x: NDArray[np.float64]) -> None:
    for seed in range(PARTITIONS):
        chosen = np.random.default_rng(seed).choice(len(x), min(len(x), SAMPLE), replace=False)
        KMeans(GROUPS, random_state=seed).fit(x[chosen]).predict(x)


WORKS: dict[str, Callable[[NDArray[np.float64]], None]] = {"ensemble": ensemble, "kmeans": kmeans}


def main() -> None:
    x = _customers(int(sys.argv[2]))
    began, worked = time.perf_counter(), time.process_time()
    WORKS[sys.argv[1]](x)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "processor": processor, "peak": peak}))


if __name__ == "__main__":
    main()
