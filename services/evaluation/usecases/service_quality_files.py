"""A file of observations: CSV or Parquet, read as columns of text and checked column by column."""

import calendar
import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shared.contracts.evaluation.service_quality import (
    Indicator,
    QualityBusiness,
    QualityModelCreate,
    RowError,
)
from shared.errors import FieldError, Unprocessable

NAMED = 100
"""Faults that are told one by one; the others are counted."""
_MOST = 2_000_000
_COLUMNS = ("branch", "business", "date")
_NUMBER = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?$"
_BRANCH = r"^[a-z0-9_]+(\.[a-z0-9_]+){0,7}$"
_LONGEST_BRANCH = 200
_UNREADABLE = (pa.ArrowException, OSError, UnicodeError, csv.Error)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ObservationFile:
    """Columns of text, trimmed, null where there is nothing; `lines` (n,) of the records. `names`: of all the
    file's columns; only those the model knows are read.
    """

    names: list[str]
    columns: dict[str, pa.Array]
    lines: NDArray[np.int64]
    malformed: list[int]
    """Lines with more or fewer fields than the header."""


@dataclass(frozen=True)
class Block:
    """Observations of one business in one branch: `values` (n, p) in the order of `indicators`."""

    business: str
    branch: str
    indicators: list[str]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Checked:
    blocks: list[Block]
    errors: list[RowError]
    refused: int
    ignored: list[str]


def read_observations(content: bytes, model: QualityModelCreate) -> ObservationFile:
    """What the model asks for; 422 when the file is neither CSV nor Parquet."""
    wanted = {*_COLUMNS, *(one.key for business in model.businesses for one in observed(business, model))}
    try:
        return _parquet(content, wanted) if content.startswith(b"PAR1") else _csv(content, wanted)
    except _UNREADABLE as error:
        raise _unusable("is neither CSV with a header nor Parquet") from error


def _parquet(content: bytes, wanted: AbstractSet[str]) -> ObservationFile:
    with pq.ParquetFile(io.BytesIO(content)) as file:
        names = list(file.schema_arrow.names)
        _check_names(names)
        if file.metadata.num_rows > _MOST:
            # A few bytes may stand for any number of lines.
            raise _unusable(f"has more than {_MOST:,} lines")
        table = file.read(columns=[name for name in names if name in wanted])
    columns = {name: _text(table.column(name).combine_chunks()) for name in table.column_names}
    return ObservationFile(names, columns, np.arange(2, table.num_rows + 2), [])


def _csv(content: bytes, wanted: AbstractSet[str]) -> ObservationFile:
    content = content.removeprefix(codecs.BOM_UTF8)
    text, encoding = _decoded(content)
    names = next(csv.reader(io.StringIO(text[: text.find("\n") + 1] or text)), [])
    _check_names(names)
    malformed: list[int] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        malformed.append(row.number)
        return "skip"

    table = pyarrow.csv.read_csv(
        io.BytesIO(content),
        # One thread: only then does Arrow know a bad record's number.
        read_options=pyarrow.csv.ReadOptions(use_threads=False, encoding=encoding),
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=skip),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()),
            include_columns=[name for name in names if name in wanted],
        ),
    )
    lines = np.arange(2, table.num_rows + len(malformed) + 2)
    columns = {name: _text(table.column(name).combine_chunks()) for name in table.column_names}
    return ObservationFile(names, columns, lines[~np.isin(lines, malformed)], malformed)


def _decoded(content: bytes) -> tuple[str, str]:
    """Spreadsheets save Chinese text either way."""
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("gb18030"), "gb18030"


def _check_names(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise _unusable("has two columns of one name")


def _text(column: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)


def _unusable(detail: str) -> Unprocessable:
    return Unprocessable(f"The file {detail}.", errors=[FieldError("/file", detail)])


@dataclass
class _Faults:
    """Which records are not taken, and why."""

    lines: NDArray[np.int64]
    bad: Mask
    errors: list[RowError] = field(default_factory=list)

    def mark(self, mask: Mask, column: str, detail: str) -> None:
        self.bad |= mask
        found = self.lines[mask][:NAMED].tolist()
        self.errors += [RowError(line=line, column=column, detail=detail) for line in found]


def check_observations(file: ObservationFile, model: QualityModelCreate, period: str) -> Checked:
    """Every record against the model; 422 when a column that records need is not there at all."""
    missing = [name for name in _COLUMNS if name not in file.columns]
    if missing:
        raise _unusable(f"lacks the columns {', '.join(missing)}")
    faults = _Faults(file.lines, np.zeros(len(file.lines), dtype=bool))
    businesses = {business.key: business for business in model.businesses}
    _check_place(file, faults, period, list(businesses))
    numbers: dict[str, NDArray[np.float64]] = {}
    of = {key: _is(file.columns["business"], [key]) for key in businesses}
    for key, rows in of.items():
        if rows.any():
            for one in observed(businesses[key], model):
                numbers[one.key] = _check_indicator(file, faults, rows, one, numbers.get(one.key))
    branch = file.columns["branch"].to_numpy(zero_copy_only=False)
    blocks = [
        block
        for key, rows in of.items()
        for block in _blocks(businesses[key], model, branch, rows & ~faults.bad, numbers)
    ]
    malformed = [
        RowError(line=line, column=None, detail="has more or fewer fields than the header")
        for line in file.malformed[:NAMED]
    ]
    return Checked(
        blocks=blocks,
        errors=sorted(malformed + faults.errors, key=lambda error: error.line)[:NAMED],
        refused=int(faults.bad.sum()) + len(file.malformed),
        ignored=sorted(set(file.names) - file.columns.keys()),
    )


def observed(business: QualityBusiness, model: QualityModelCreate) -> list[Indicator]:
    """What a record of this business holds, in the order it is kept."""
    return [*business.indicators(), *model.overall]


def _check_place(file: ObservationFile, faults: _Faults, period: str, businesses: Sequence[str]) -> None:
    branch, date = file.columns["branch"], file.columns["date"]
    fits = _matches(branch, _BRANCH) & _true(pc.less_equal(pc.utf8_length(branch), _LONGEST_BRANCH))
    faults.mark(~fits, "branch", "is no path of an organisation, like hq.sh.pudong")
    known = _is(file.columns["business"], businesses)
    faults.mark(~known, "business", f"must be one of {', '.join(businesses)}")
    year, month = (int(part) for part in period.split("-"))
    days = [f"{period}-{day:02}" for day in range(1, calendar.monthrange(year, month)[1] + 1)]
    # Parquet's times follow the day.
    faults.mark(~_is(pc.utf8_slice_codeunits(date, 0, 10), days), "date", f"must be a day of {period}")


def _check_indicator(
    file: ObservationFile, faults: _Faults, rows: Mask, one: Indicator, known: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """(n,) values of a column; faults are marked in `rows`."""
    if one.key not in file.columns:
        raise _unusable(f"lacks the column {one.key}")
    column = file.columns[one.key]
    absent = _true(pc.is_null(column))
    numeric = _matches(column, _NUMBER)
    values = known
    if values is None:
        readable = pc.if_else(pa.array(numeric), column, None)
        values = pc.cast(readable, pa.float64()).to_numpy(zero_copy_only=False)
    faults.mark(rows & absent, one.key, "is required")
    faults.mark(rows & ~absent & ~numeric, one.key, "is not a number")
    outside = np.zeros(len(rows), dtype=bool)
    outside[numeric] = (values[numeric] < one.low) | (values[numeric] > one.high)
    faults.mark(rows & outside, one.key, f"must lie between {one.low:g} and {one.high:g}")
    return values


def _blocks(
    business: QualityBusiness,
    model: QualityModelCreate,
    branch: NDArray[np.object_],
    rows: Mask,
    numbers: dict[str, NDArray[np.float64]],
) -> Iterator[Block]:
    at = np.flatnonzero(rows)
    if not len(at):
        return
    names = [one.key for one in observed(business, model)]
    branches, number = np.unique(branch[at].astype(str), return_inverse=True)
    order = np.argsort(number, kind="stable")
    values = np.column_stack([numbers[name][at[order]] for name in names])
    ends = np.cumsum(np.bincount(number))
    for place, part in zip(branches.tolist(), np.split(values, ends[:-1]), strict=True):
        yield Block(business.key, place, names, part)


def _matches(column: pa.Array, pattern: str) -> Mask:
    return _true(pc.match_substring_regex(column, pattern))


def _is(column: pa.Array, values: Sequence[str]) -> Mask:
    return _true(pc.is_in(column, pa.array(values, pa.string())))


def _true(column: pa.Array) -> Mask:
    """Null is not true."""
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=bool)
