"""What an evaluation needs of memory beyond the interpreter: a process of its own, which B7 starts.

python -m benchmarks.b7_memory STORE_FILE
"""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from benchmarks.b7_store import CAMPAIGN, METRICS, START, opened
from services.evaluation.store.cells import cell_tables
from services.evaluation.store.outcomes import Question
from services.evaluation.store.policies import policy_statistics
from services.evaluation.store.quantities import Measure

_TURNS = 3


@dataclass(frozen=True)
class Peak:
    """Bytes beyond what there was with the store open; `pages` of them are the engine's copy of the file.

    That copy is given up when memory is short. `work` is all else.
    """

    whole: int
    pages: int

    @property
    def work(self) -> int:
        return self.whole - self.pages


def peak_of(file: Path) -> Peak:
    """Measured in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(file)], capture_output=True, text=True, check=True
    )
    return Peak(*map(int, done.stdout.split()))


def main() -> None:
    store = opened(Path(sys.argv[1]))
    question = Question(CAMPAIGN, START + timedelta(days=40))
    measures = [Measure(metric, metric.window_days) for metric in METRICS]
    before = _peak()
    for _ in range(_TURNS):
        asyncio.run(store.read(lambda cursor: cell_tables(cursor, question, measures)))
        asyncio.run(store.read(lambda cursor: policy_statistics(cursor, question, METRICS[0])))
    print(_peak() - before, asyncio.run(store.read(_pages)))
    store.close()


def _pages(cursor: duckdb.DuckDBPyConnection) -> int:
    sql = "SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory() WHERE tag = 'BASE_TABLE'"
    return int(cursor.execute(sql).fetchall()[0][0])


def _peak() -> int:
    """Bytes of this program: the kernel's usage figures keep those of whoever started it as well."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
