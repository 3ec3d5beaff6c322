"""B7: the evaluation of a campaign, against the same moments by one DuckDB query written by hand.

Four metrics with their covariates in every cell of five dimensions: segment, tier, branch and manager of the
customer, and the arm, from which channel and script follow. Both read the same store, which has the memory of
a service. Then the answer to a question for a breakdown by one to five dimensions, from the cells that were
kept, as a share of the query; and what the evaluation needs of memory in a process of its own.
"""

import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import duckdb
import numpy as np

from benchmarks.b7_memory import Peak, peak_of
from benchmarks.b7_store import CAMPAIGN, METRICS, START, fill, opened
from benchmarks.figure import at_most
from benchmarks.workplace import Workplace
from services.evaluation.domain.catalogue import NET_INFLOW
from services.evaluation.domain.cells import CellTable
from services.evaluation.queries.breakdowns import breakdown
from services.evaluation.queries.cell_blocks import packed, traits_of, united
from services.evaluation.store import Store
from services.evaluation.store.cells import cell_tables
from services.evaluation.store.outcomes import Question
from services.evaluation.store.parts import AT_ONCE
from services.evaluation.store.quantities import Measure
from shared.contracts.evaluation import BreakdownBy
from shared.contracts.events import RegisteredArm, Registration

TURNS = 3
TARGET = 3.0
ANSWER_TARGET = 1.0
FLAT = 1.25
PLAN = Registration(
    primary_metric=NET_INFLOW.key,
    arms=[
        RegisteredArm(key="call", share=0.25, offer="wealth", channel="manager_task", script="w@1"),
        RegisteredArm(key="call2", share=0.25, offer="wealth", channel="manager_task", script="w@2"),
        RegisteredArm(key="sms", share=0.25, offer="wealth", channel="sms", script="w@2"),
    ],
    hold_out=0.25,
    salt="b7",
)
QUESTIONS = (
    "tier",
    "segment,tier",
    "segment,tier,channel",
    "segment,tier,script,branch",
    "segment,tier,channel,branch,manager",
)

_CELLS = ", ".join(
    f"count(*) AS n{i}, avg(y{i}) AS my{i}, var_pop(y{i}) * count(*) AS vy{i}, avg(x{i}) AS mx{i}, "
    f"var_pop(x{i}) * count(*) AS vx{i}, covar_pop(x{i}, y{i}) * count(*) AS c{i}"
    for i in range(4)
)
_SIGNED = "CASE e.direction WHEN 'in' THEN e.amount WHEN 'out' THEN -e.amount END"
_SUMS = ", ".join(
    f"sum({what}) FILTER (e.time >= u.assigned_at AND e.time < u.assigned_at + INTERVAL {days} DAY) AS y{i}, "
    f"sum({what}) FILTER (e.time < u.assigned_at AND e.time >= u.assigned_at - INTERVAL {days} DAY) AS x{i}"
    for i, (what, days) in enumerate(((_SIGNED, 30), ("1", 30), (_SIGNED, 14), ("1", 14)))
)
_ZEROES = ", ".join(f"coalesce(y{i}, 0) AS y{i}, coalesce(x{i}, 0) AS x{i}" for i in range(4))
BY_HAND = f"""
WITH o AS (
  SELECT u.customer_id, {_SUMS} FROM event AS e JOIN exposure AS u USING (customer_id)
  WHERE u.campaign_id = $campaign::UUID AND e.type = 'transaction.posted'
    AND e.time >= u.assigned_at - INTERVAL 30 DAY AND e.time < u.assigned_at + INTERVAL 30 DAY
  GROUP BY u.customer_id
), p AS (
  SELECT arm, segment, branch, primary_manager, t.tier, {_ZEROES}
  FROM exposure AS u ASOF LEFT JOIN tier AS t
    ON t.home = u.customer_id AND u.assigned_at >= t.effective_at
  LEFT JOIN o ON o.customer_id = u.customer_id
  WHERE u.campaign_id = $campaign::UUID
)
SELECT arm, segment, branch, tier, primary_manager, {_CELLS} FROM p GROUP BY ALL
"""


async def run(_place: Workplace, size: int) -> list[dict[str, Any]]:
    """Seconds of gathering and of answering as multiples of the query, by turns on the same store."""
    with TemporaryDirectory(prefix="huanying-b7-") as folder:
        file, part = Path(folder) / "evaluation.duckdb", Path(folder) / "part.duckdb"
        await _filled(file, size)
        await _filled(part, AT_ONCE)
        memory = _memory(size, peak_of(file), peak_of(part))
        store = opened(file)
        try:
            return [*await _compare(store), memory]
        finally:
            store.close()


async def _filled(file: Path, size: int) -> None:
    store = opened(file)
    try:
        await store.write(lambda cursor: fill(cursor, size))
    finally:
        store.close()


async def _compare(store: Store) -> list[dict[str, Any]]:
    question = Question(CAMPAIGN, START + timedelta(days=40))
    measures = [Measure(metric, metric.window_days) for metric in METRICS]
    ours, hand, tables = 0.0, 0.0, []
    for _ in range(TURNS):
        began = time.perf_counter()
        tables = await store.read(lambda cursor: cell_tables(cursor, question, measures))
        ours += time.perf_counter() - began
        began = time.perf_counter()
        theirs = await store.read(_by_hand)
        hand += time.perf_counter() - began
    _agree(tables, theirs)
    said = f"one query {hand / TURNS:.2f} s"
    what = f"4 metrics with covariates in {len(tables[0]):,} cells of 5 dimensions"
    rows = [at_most(what, f"{ours / TURNS:.2f} s", said, ours / hand, TARGET)]
    blocks = list(packed(tables[0]).items())
    for by in QUESTIONS:
        seconds = min(_answered(blocks, by) for _ in range(TURNS))
        rows.append(
            at_most(f"answer by {by}", f"{seconds:.2f} s", said, seconds / (hand / TURNS), ANSWER_TARGET)
        )
    return rows


def _by_hand(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    found: dict[str, Any] = cursor.execute(BY_HAND, {"campaign": str(CAMPAIGN)}).fetchnumpy()
    return found


def _agree(tables: list[CellTable], theirs: dict[str, Any]) -> None:
    """The same cells with the same totals, or the comparison means nothing."""
    for i, table in enumerate(tables):
        n, mean = table.moments[:2]
        total, expected = float((n * mean).sum()), float((theirs[f"n{i}"] * theirs[f"my{i}"]).sum())
        if len(table) != len(theirs["arm"]) or not np.isclose(total, expected, rtol=1e-9):
            raise RuntimeError(
                f"metric {i}: {len(table)} cells, {total}; by hand {len(theirs['arm'])}, {expected}"
            )


def _answered(blocks: list[tuple[str, bytes]], by: str) -> float:
    """Seconds of what the route does, from the kept blocks to its rows."""
    began = time.perf_counter()
    dimensions = [name for name in get_args(BreakdownBy) if name in by.split(",")]
    cells = united(blocks).of_arms(traits_of(PLAN))
    breakdown(CAMPAIGN, START, cells, dimensions, PLAN, NET_INFLOW)
    return time.perf_counter() - began


def _memory(size: int, peak: Peak, of_part: Peak) -> dict[str, Any]:
    """Flat: what one part of the exposures needs, whatever their number."""
    what = f"peak memory of {size:,} exposures beyond the interpreter's and the store's own pages"
    measured = f"{peak.work / 2**20:,.0f} MiB ({peak.pages / 2**20:,.0f} of pages)"
    said = f"{of_part.work / 2**20:,.0f} MiB with {AT_ONCE:,}"
    return at_most(what, measured, said, peak.work / of_part.work, FLAT)
