"""`make bench`: every figure a ratio against a reference measured in the same run.

python -m benchmarks.run [b1 b2 b8] [--sizes 10000,100000]
"""

import argparse
import asyncio
import importlib
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.workplace import Workplace, workplace

BENCHMARKS = {
    "b1": ("benchmarks.b1_intake", "POST /v1/events against COPY"),
    "b2": ("benchmarks.b2_segments", "50 segments against one SELECT"),
    "b3": ("benchmarks.b3_incremental", "event to SegmentUpdated and to a task against a bare loop"),
    "b4": ("benchmarks.b4_ensemble", "cluster ensemble against as many k-means"),
    "b5": ("benchmarks.b5_launch", "launch of a campaign against COPY of its ledger"),
    "b6": ("benchmarks.b6_optimise", "contact optimiser against its bound, HiGHS and PDLP"),
    "b7": ("benchmarks.b7_evaluation", "cells of a campaign against one query"),
    "b8": ("benchmarks.b8_customer_360", "customer 360 against SELECT 1"),
    "b9": ("benchmarks.b9_import", "bulk import of customers against COPY"),
}
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="all when left out")
    parser.add_argument("--sizes", default="10000,100000", help="customers, comma separated")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    rows = [row for name in options.names or BENCHMARKS for row in _measure(name, sizes)]
    _show(rows)
    _save(rows)
    sys.exit(0)


def _measure(name: str, sizes: list[int]) -> Iterator[dict[str, Any]]:
    module = importlib.import_module(BENCHMARKS[name][0])
    for size in sizes:
        with _place() as place:
            for result in asyncio.run(module.run(place, size)):
                yield {"id": name.upper(), "size": size, **result}


@contextmanager
def _place() -> Iterator[Workplace]:
    with (
        tempfile.TemporaryDirectory(prefix="huanying-bench-") as directory,
        workplace(Path(directory)) as place,
    ):
        yield place


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Ratios against references of the same run")
    for column in ("id", "size", "what", "measured", "reference", "ratio", "target", "met"):
        table.add_column(column)
    for row in rows:
        met = "yes" if row["met"] else "no"
        table.add_row(
            row["id"],
            f"{row['size']:,}",
            row["what"],
            row["measured"],
            row["reference"],
            f"{row['ratio']:.3g}",
            row["target"],
            met,
        )
    Console().print(table)


def _save(rows: list[dict[str, Any]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "machine": {"cpu": platform.processor() or platform.machine(), "python": platform.python_version()},
        "versions": {
            name: version(name) for name in ("duckdb", "sqlalchemy", "psycopg", "fastapi", "nats-py")
        },
        "rows": rows,
    }
    file = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    file.write_text(json.dumps(report, indent=2))
    print(f"saved {file.name}")


if __name__ == "__main__":
    main()
