"""Import files as chunks of text columns, each value checked; a file of any size takes constant memory."""

import itertools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from shared.errors import FieldError, Unprocessable

CHUNK_ROWS = 5_000
_BLOCK_BYTES = 4 * 1024 * 1024

_CODE = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_TEXT = r"^[^\x00-\x1f]{1,200}$"
_DATE = r"^(19|20|21)\d{2}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
_BOOL = r"^(true|false|1|0)$"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a data set: the form its values must have."""

    pattern: str
    required: bool = False
    is_date: bool = False


_DAY = Column(_DATE, is_date=True)
_SOURCE = Column(r"^[a-z0-9][a-z0-9._-]{0,63}$", required=True)
_SOURCE_ID = Column(r"^[^\x00-\x1f]{1,128}$", required=True)

DATASETS: dict[str, dict[str, Column]] = {
    "customers": {
        "source": _SOURCE,
        "source_id": _SOURCE_ID,
        "kind": Column(r"^(person|company)$", required=True),
        "name": Column(_TEXT, required=True),
        "id_number": Column(r"^[0-9A-Za-z-]{4,32}$"),
        "phone": Column(r"^\+?[0-9][0-9 -]{4,30}$"),
        "email": Column(r"^[^@\s]{1,64}@[^@\s]{1,190}$"),
        "address": Column(r"^[^\x00-\x1f]{0,500}$"),
        "gender": Column(r"^[FM]$"),
        "birth_date": _DAY,
        "occupation": Column(_TEXT),
        "industry": Column(_TEXT),
        "org": Column(r"^[a-z0-9_]+(\.[a-z0-9_]+){0,7}$", required=True),
        "primary_manager": Column(_CODE),
        "backup_manager": Column(_CODE),
        "risk_level": Column(r"^C[1-5]$"),
        "risk_valid_until": _DAY,
        "customer_since": _DAY,
        "consent_call": Column(_BOOL),
        "consent_sms": Column(_BOOL),
        "consent_email": Column(_BOOL),
    },
    "holdings": {
        "source": _SOURCE,
        "source_id": _SOURCE_ID,
        "account": Column(r"^[^\x00-\x1f]{1,64}$", required=True),
        "product": Column(_CODE, required=True),
        "balance": Column(r"^-?\d{1,16}(\.\d{1,2})?$", required=True),
        "currency": Column(r"^[A-Z]{3}$", required=True),
        "as_of": Column(_DATE, required=True, is_date=True),
        "opened_on": _DAY,
        "matures_on": _DAY,
    },
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one row (counted from 1, without the header) was not taken."""

    row: int
    column: str | None
    detail: str


@dataclass(slots=True)
class Chunk:
    """Checked rows as columns of text; `rows` are their numbers in the file."""

    rows: list[int]
    columns: dict[str, list[str | None]]
    rejected: list[Rejection]
    read: int
    """Rows of the file this chunk stands for, rejected ones included."""

    def without(self, rejected: list[Rejection]) -> "Chunk":
        """The same chunk with more rows rejected."""
        bad = {rejection.row for rejection in rejected}
        if not bad:
            return self
        kept = [position for position, row in enumerate(self.rows) if row not in bad]
        return Chunk(
            rows=[self.rows[position] for position in kept],
            columns={name: [values[position] for position in kept] for name, values in self.columns.items()},
            rejected=[*self.rejected, *rejected],
            read=self.read,
        )


@dataclass(slots=True)
class ImportReader:
    """Reads one file chunk by chunk; `fraction` says how far it is."""

    path: Path
    format: str
    dataset: str
    fraction: float = 0.0
    _malformed: set[int] = field(default_factory=set)

    def check_columns(self) -> None:
        """Every column of the data set must be there and no other; 422 names the differences."""
        wanted = DATASETS[self.dataset]
        found = self._names()
        errors = [FieldError(f"/{name}", "column is missing") for name in wanted if name not in found]
        errors += [
            FieldError(f"/{name[:100]}", "is not a column of this data set")
            for name in found
            if name not in wanted
        ]
        if len(set(found)) < len(found):
            errors.append(FieldError("", "column names repeat"))
        if errors:
            raise Unprocessable(f"The file does not have the columns of '{self.dataset}'", errors=errors[:50])

    def chunks(self) -> Generator[Chunk]:
        """Checked chunks in file order; Unprocessable when the file breaks off or is not what it says."""
        rules = DATASETS[self.dataset]
        row = 0
        try:
            for batch in self._batches():
                for start in range(0, batch.num_rows, CHUNK_ROWS):
                    part = batch.slice(start, CHUNK_ROWS)
                    numbers = _numbers(row, part.num_rows, self._malformed)
                    malformed = self._rejected_up_to(numbers[-1])
                    row = numbers[-1]
                    yield _checked(part, rules, numbers, malformed)
        except (pa.ArrowInvalid, OSError) as error:
            raise Unprocessable(f"The file cannot be read as {self.format} past row {row}") from error
        rest = self._rejected_up_to(max(self._malformed, default=0))
        if rest:
            yield Chunk(rows=[], columns={name: [] for name in rules}, rejected=rest, read=len(rest))

    def _rejected_up_to(self, row: int) -> list[Rejection]:
        """Malformed rows before `row`; later ones wait for their chunk."""
        due = sorted(number for number in self._malformed if number <= row)
        self._malformed -= set(due)
        return [Rejection(number, None, "does not have the header's number of fields") for number in due]

    def _names(self) -> list[str]:
        try:
            if self.format == "parquet":
                return list(pq.read_schema(self.path).names)
            with pyarrow.csv.open_csv(
                self.path, read_options=_csv_options(), parse_options=_csv_parsing()
            ) as reader:
                return list(reader.schema.names)
        except (pa.ArrowInvalid, OSError) as error:
            raise Unprocessable(f"The file cannot be read as {self.format}") from error

    def _batches(self) -> Iterator[pa.RecordBatch]:
        return self._parquet() if self.format == "parquet" else self._csv()

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path) as file:
            total, done = max(file.metadata.num_rows, 1), 0
            for batch in file.iter_batches(batch_size=CHUNK_ROWS):
                done += batch.num_rows
                self.fraction = done / total
                yield _as_text(batch)

    def _csv(self) -> Iterator[pa.RecordBatch]:
        types = dict.fromkeys(DATASETS[self.dataset], pa.string())
        converting = pyarrow.csv.ConvertOptions(
            column_types=types, strings_can_be_null=True, null_values=[""]
        )
        size = max(self.path.stat().st_size, 1)
        with (
            pa.OSFile(str(self.path)) as source,
            pyarrow.csv.open_csv(
                source,
                read_options=_csv_options(),
                parse_options=_csv_parsing(self._malformed),
                convert_options=converting,
            ) as reader,
        ):
            for batch in reader:
                self.fraction = min(source.tell() / size, 1.0)
                yield batch


def _csv_options() -> pyarrow.csv.ReadOptions:
    return pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)


def _csv_parsing(malformed: set[int] | None = None) -> pyarrow.csv.ParseOptions:
    def skip(row: pyarrow.csv.InvalidRow) -> str:
        if malformed is not None:
            malformed.add(row.number - 1)  # counted with the header
        return "skip"

    return pyarrow.csv.ParseOptions(invalid_row_handler=skip)


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = []
    for column in batch.columns:
        dated = column.cast(pa.date32()) if pa.types.is_timestamp(column.type) else column
        columns.append(dated.cast(pa.string()))
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _numbers(last: int, count: int, malformed: set[int]) -> Sequence[int]:
    """The file's numbers of the next `count` well-formed rows after row `last`."""
    if not malformed:
        return range(last + 1, last + count + 1)
    following = (number for number in itertools.count(last + 1) if number not in malformed)
    return list(itertools.islice(following, count))


def _checked(
    batch: pa.RecordBatch, wanted: dict[str, Column], numbers: Sequence[int], malformed: list[Rejection]
) -> Chunk:
    rejected = list(malformed)
    good = pa.array([True] * batch.num_rows)
    columns: dict[str, pa.Array] = {}
    for name, rule in wanted.items():
        values = pc.if_else(pc.equal(batch[name], ""), None, batch[name])
        missing = pc.is_null(values)
        matches = pc.fill_null(pc.match_substring_regex(values, rule.pattern), fill_value=False)
        ok = pc.or_(matches, missing) if not rule.required else matches
        ok = pc.and_(ok, _real_days(values)) if rule.is_date else ok
        for position in pc.indices_nonzero(pc.invert(ok)).to_pylist():
            detail = (
                "is required" if not values[position].is_valid else "does not have the form of this column"
            )
            rejected.append(Rejection(numbers[position], name, detail))
        good = pc.and_(good, ok)
        columns[name] = values
    kept = pc.indices_nonzero(good)
    return Chunk(
        rows=[numbers[position] for position in kept.to_pylist()],
        columns={name: values.take(kept).to_pylist() for name, values in columns.items()},
        rejected=rejected,
        read=batch.num_rows + len(malformed),
    )


def _real_days(values: pa.Array) -> pa.Array:
    """False for 30 February and the like; other forms are the pattern's business."""
    try:
        values.cast(pa.date32())
    except pa.ArrowInvalid:
        return pa.array([value is None or _is_day(value) for value in values.to_pylist()])
    return pa.array([True] * len(values))


def _is_day(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
