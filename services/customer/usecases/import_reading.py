"""Import files as chunks of checked text columns; a file of any size takes constant memory."""

import itertools
from bisect import bisect_right
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.usecases.import_datasets import DATASETS, Column, Dataset
from services.customer.usecases.import_mapping import Derived, Plan, columns_read, derive
from services.customer.usecases.import_source import BATCH_ROWS, UNREADABLE, ImportSource
from shared.errors import Unprocessable


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one row (counted from 1, without the header) was not taken."""

    row: int
    column: str | None
    detail: str


@dataclass(slots=True)
class Chunk:
    """Checked rows as columns; `rows` are their numbers in the file."""

    rows: Sequence[int]
    columns: dict[str, Sequence[str | None]]
    rejected: list[Rejection]
    read: int
    """Rows of the file this chunk stands for, rejected ones included."""
    last: int
    """The file is done with up to this row."""
    fraction: float
    """How far into the file that is."""
    made: dict[str, Sequence[Any]] = field(default_factory=dict)
    """What was computed from the rows ahead of their transaction, by name."""

    def without(self, rejected: Iterable[Rejection]) -> "Chunk":
        """The same chunk with more rows rejected."""
        more = list(rejected)
        bad = {rejection.row for rejection in more}
        if not bad:
            return self
        kept = [position for position, row in enumerate(self.rows) if row not in bad]
        return Chunk(
            rows=[self.rows[position] for position in kept],
            columns={name: [values[position] for position in kept] for name, values in self.columns.items()},
            rejected=[*self.rejected, *more],
            read=self.read,
            last=self.last,
            fraction=self.fraction,
            made={name: [values[position] for position in kept] for name, values in self.made.items()},
        )


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What became of a chunk's rows."""

    rejected: list[Rejection]
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    parked: int = 0
    quarantined: int = 0


class Intake(Protocol):
    """What takes the rows of one data set."""

    async def begin(self, session: AsyncSession) -> None:
        """Once, before the first chunk."""
        ...

    def prepare(self, chunk: Chunk) -> Chunk:
        """Whatever needs no database: runs in a thread while the chunk before is being written."""
        ...

    async def take(self, session: AsyncSession, chunk: Chunk) -> ChunkResult:
        """Apply one prepared chunk in the session's transaction."""
        ...


@dataclass(slots=True)
class ImportReader:
    """Reads one file chunk by chunk as `plan` says."""

    source: ImportSource
    dataset: str
    plan: Plan

    def chunks(self, taken: int = 0) -> Generator[Chunk]:
        """Checked chunks in file order behind row `taken`; Unprocessable when the file breaks off."""
        dataset, malformed = DATASETS[self.dataset], self.source.malformed
        last = at = 0
        try:
            for before, batch in self.source.batches(columns_read(self.plan), taken):
                numbers = _numbers(max(at, before), batch.num_rows, malformed)
                at = numbers[-1] if numbers else at
                # Rows done with before are passed over; a malformed one among them was reported then.
                start = bisect_right(numbers, taken)
                last = max(last, taken)
                for position in range(start, batch.num_rows, BATCH_ROWS):
                    own = numbers[position : position + BATCH_ROWS]
                    bad = _malformed(malformed, last, own[-1])
                    last = own[-1]
                    part = batch.slice(position, BATCH_ROWS)
                    yield _checked(part, self.plan, dataset, own, bad, self.source.fraction)
        except UNREADABLE as error:
            raise Unprocessable(
                f"The file cannot be read as {self.source.dialect.format} past row {last}"
            ) from error
        rest = _malformed(malformed, max(last, taken), max(malformed, default=0))
        if rest:
            nothing: dict[str, Sequence[str | None]] = {n: [] for n in [*dataset.columns, *self.plan]}
            yield Chunk([], nothing, rest, len(rest), rest[-1].row, 1.0)


def _malformed(malformed: set[int], after: int, upto: int) -> list[Rejection]:
    if not malformed:
        return []
    due = sorted(number for number in malformed if after < number <= upto)
    return [Rejection(number, None, "does not have the header's number of fields") for number in due]


def _numbers(last: int, count: int, malformed: set[int]) -> Sequence[int]:
    """The file's numbers of the next `count` well-formed rows after row `last`."""
    if not malformed:
        return range(last + 1, last + count + 1)
    following = (number for number in itertools.count(last + 1) if number not in malformed)
    return list(itertools.islice(following, count))


def _checked(
    batch: pa.RecordBatch,
    plan: Plan,
    dataset: Dataset,
    numbers: Sequence[int],
    malformed: list[Rejection],
    fraction: float,
) -> Chunk:
    rejected, last = list(malformed), numbers[-1]
    good = None
    columns: dict[str, pa.Array] = {}
    for name in dict.fromkeys([*dataset.columns, *plan]):
        column = dataset.column(name)
        if column is None or name not in plan:
            columns[name] = pa.nulls(batch.num_rows, pa.string())
            continue
        derived = derive(batch, numbers, plan[name], column.kind)
        ok = _fits(derived, column)
        if not pc.all(ok).as_py():
            rejected += _rejections(name, derived, ok, numbers)
            good = ok if good is None else pc.and_(good, ok)
        columns[name] = derived.values
    if good is not None:
        kept = pc.indices_nonzero(good)
        numbers = [numbers[position] for position in kept.to_pylist()]
        columns = {name: values.take(kept) for name, values in columns.items()}
    return Chunk(
        rows=numbers,
        columns={name: values.to_pylist() for name, values in columns.items()},
        rejected=rejected,
        read=batch.num_rows + len(malformed),
        last=last,
        fraction=fraction,
    )


def _fits(derived: Derived, column: Column) -> pa.Array:
    missing = derived.values.is_null()
    matches = pc.fill_null(pc.match_substring_regex(derived.values, column.pattern), False)
    ok = matches if column.required else pc.or_(matches, missing)
    if column.kind == "day":
        ok = pc.and_(ok, _real_days(derived.values))
    return ok if derived.bad is None else pc.and_(ok, pc.invert(derived.bad))


def _rejections(name: str, derived: Derived, ok: pa.Array, numbers: Sequence[int]) -> list[Rejection]:
    found = []
    for position in pc.indices_nonzero(pc.invert(ok)).to_pylist():
        if derived.bad is not None and derived.bad[position].as_py():
            detail = derived.detail
        elif derived.values[position].is_valid:
            detail = "does not have the form of this column"
        else:
            detail = "is required"
        found.append(Rejection(numbers[position], name, detail))
    return found


def _real_days(values: pa.Array) -> pa.Array:
    """False for 30 February and the like; other forms are the pattern's business."""
    try:
        values.cast(pa.date32())
    except pa.ArrowInvalid:
        return pa.array([value is None or _is_day(value) for value in values.to_pylist()], pa.bool_())
    return pa.array([True] * len(values), pa.bool_())


def _is_day(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
