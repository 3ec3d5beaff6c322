"""A bank of any size as Parquet files, written piece by piece: memory does not grow with it.

Everything about row n follows from n, so the sums to expect are known without keeping any row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.customers import BRANCHES
from deploy.demo.bank.columns import Ints, choose, dates, join, money, padded

SOURCE = "core-banking"
FILE_ROWS = 2_000_000
"""Rows of one file at most."""

BatchOf = Callable[[Ints], tuple[pa.RecordBatch, int]]
"""Rows with these numbers, and the cents in them."""

_GROUP = 100_000
_SECONDS = 300 * 86_400
_BEGAN = 1_767_225_600  # 2026-01-01T00:00:00Z
_SURNAMES = tuple("王李张刘陈杨黄赵吴周")
_GIVEN = tuple("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚")


@dataclass(frozen=True)
class Part:
    """One file, how many rows it has and the cents in them."""

    path: Path
    rows: int
    cents: int = 0


def customer_files(directory: Path, customers: int) -> Iterator[Part]:
    for start in range(0, customers, FILE_ROWS):
        rows = min(FILE_ROWS, customers - start)
        yield _write(directory / f"customers-{start}.parquet", _customers, start, rows)


def holding_files(directory: Path, customers: int, months: list[date]) -> Iterator[Part]:
    """One account each; a file holds one month."""
    for month, last_day in enumerate(months):
        for start in range(0, customers, FILE_ROWS):
            rows = min(FILE_ROWS, customers - start)

            def batch(
                numbers: Ints, month: int = month, last_day: date = last_day
            ) -> tuple[pa.RecordBatch, int]:
                return _holdings(numbers, month, last_day)

            yield _write(directory / f"holdings-{last_day}-{start}.parquet", batch, start, rows)


def event_files(directory: Path, customers: int, events: int) -> Iterator[Part]:
    for start in range(0, events, FILE_ROWS):
        rows = min(FILE_ROWS, events - start)

        def batch(numbers: Ints) -> tuple[pa.RecordBatch, int]:
            return _events(numbers, customers)

        yield _write(directory / f"events-{start}.parquet", batch, start, rows)


def month_ends(until: date, months: int) -> list[date]:
    """The last days of the `months` months before `until`, oldest first."""
    first = np.datetime64(until, "M")
    return [(first - n).astype("datetime64[D]").astype(date) - _ONE_DAY for n in range(months - 1, -1, -1)]


_ONE_DAY = date(2000, 1, 2) - date(2000, 1, 1)


def _write(path: Path, batch_of: BatchOf, start: int, rows: int) -> Part:
    cents, writer = 0, None
    for first in range(start, start + rows, _GROUP):
        batch, more = batch_of(np.arange(first, min(first + _GROUP, start + rows), dtype=np.int64))
        writer = writer or pq.ParquetWriter(path, batch.schema)
        writer.write_batch(batch)
        cents += more
    if writer is not None:
        writer.close()
    return Part(path, rows, cents)


def _same(value: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), rows)


def _customers(numbers: Ints) -> tuple[pa.RecordBatch, int]:
    rows = len(numbers)
    nothing = pa.nulls(rows, pa.string())
    born = np.datetime64("1950-01-01") + (numbers * 7919 % 18_000).astype("timedelta64[D]")
    columns = {
        "source": _same(SOURCE, rows),
        "source_id": pa.array(numbers).cast(pa.string()),
        "kind": _same("person", rows),
        "name": join(
            choose(_SURNAMES, numbers % 10),
            choose(_GIVEN, numbers // 10 % 20),
            choose(_GIVEN, numbers // 200 % 20),
        ),
        "id_number": join("310101", padded(numbers, 11), "X"),
        "phone": join("138", padded(numbers, 8)),
        "email": join("c", pa.array(numbers).cast(pa.string()), "@example.com"),
        "address": join("上海市", pa.array(numbers % 5_000).cast(pa.string()), "号"),
        "gender": choose(("M", "F"), numbers % 2),
        "birth_date": dates(born),
        "occupation": choose(("教师", "医生", "工人", "职员"), numbers % 4),
        "industry": nothing,
        "org": join("hq.b", pa.array(numbers % BRANCHES).cast(pa.string())),
        "primary_manager": join("M", pa.array(numbers % BRANCHES).cast(pa.string())),
        "backup_manager": nothing,
        "risk_level": join("C", pa.array(1 + numbers % 5).cast(pa.string())),
        "risk_valid_until": _same("2027-06-30", rows),
        "customer_since": _same("2015-01-01", rows),
        "consent_call": choose(("true", "false"), (numbers % 5 == 0).astype(np.int64)),
        "consent_sms": nothing,
        "consent_email": nothing,
    }
    return pa.RecordBatch.from_pydict(columns), 0


def _holdings(numbers: Ints, month: int, last_day: date) -> tuple[pa.RecordBatch, int]:
    rows = len(numbers)
    cents = (numbers * 7919 + month * 104_729) % 10_000_000
    columns = {
        "source": _same(SOURCE, rows),
        "source_id": pa.array(numbers).cast(pa.string()),
        "account": join("A", pa.array(numbers).cast(pa.string())),
        "product": _same("demand-deposit", rows),
        "balance": money(cents),
        "currency": _same("CNY", rows),
        "as_of": pa.repeat(pa.scalar(last_day), rows),
        "opened_on": _same("2015-01-01", rows),
        "matures_on": pa.nulls(rows, pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns), int(cents.sum())


def _events(numbers: Ints, customers: int) -> tuple[pa.RecordBatch, int]:
    """Spread over customers and time; every row is another one."""
    rows = len(numbers)
    cents = 100 + numbers * 6_151 % 500_000
    customer = numbers * 48_271 % customers
    seconds = _BEGAN + numbers * 2_654_435_761 % _SECONDS
    data = join(
        '{"account":"A', pa.array(customer).cast(pa.string()), '","product":"demand-deposit","amount":"',
        money(cents), '","currency":"CNY","direction":"', choose(("in", "out"), numbers % 2),
        '","channel":"', choose(("mobile", "web", "branch"), numbers % 3), '"}',
    )  # fmt: skip
    columns = {
        "id": join("tx-", padded(numbers, 9)),
        "source": _same(SOURCE, rows),
        "type": _same("transaction.posted", rows),
        "subject": pa.array(customer).cast(pa.string()),
        "time": pa.array(seconds).cast(pa.timestamp("s", "UTC")),
        "data": data,
    }
    return pa.RecordBatch.from_pydict(columns), int(cents.sum())
