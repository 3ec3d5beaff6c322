"""An import file as batches of text: Parquet or CSV of any encoding and dialect, sealed on disk."""

import codecs
import csv
import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from services.customer.domain.sealed_file import SealedReader
from shared.errors import Unprocessable

BATCH_ROWS = 10_000
_BLOCK_BYTES = 1024 * 1024
"""Arrow reads up to 32 of them ahead."""
_HEAD_BYTES = 1024 * 1024
_LINES = 50
_DELIMITERS = ",;\t|"
_COMMON_HAN = 0.9

UNREADABLE = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeError)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is read; `encoding` and below are a CSV file's."""

    format: Literal["csv", "parquet"]
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'


@dataclass(slots=True)
class ImportSource:
    """One sealed file. `fraction` says how far reading is, `malformed` which rows had other fields."""

    path: Path
    key: bytes
    dialect: Dialect
    fraction: float = 0.0
    malformed: set[int] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Plain bytes."""
        with closing(self._open()) as file:
            return file.size

    def names(self) -> list[str]:
        """Column names in the file's order; 422 when it cannot be read."""
        try:
            with closing(self._open()) as file:
                if self.dialect.format == "parquet":
                    return list(pq.read_schema(pa.PythonFile(file, "r")).names)
                # As text first: arrow would silently keep the last of two columns with one name.
                lines = io.TextIOWrapper(io.BufferedReader(file), self.dialect.encoding, newline="")
                return next(self._rows(lines), [])
        except (*UNREADABLE, csv.Error) as error:
            raise Unprocessable(f"The file cannot be read as {self.dialect.format}") from error

    def batches(self, columns: Sequence[str], skip: int = 0) -> Generator[tuple[int, pa.RecordBatch]]:
        """Batches of these columns as text; with each, the well-formed rows skipped before it.

        Of a Parquet file the first `skip` rows are not even read; a CSV file is read from its start.
        """
        return self._parquet(columns, skip) if self.dialect.format == "parquet" else self._csv(columns)

    def _rows(self, lines: io.TextIOWrapper) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self.dialect.delimiter, quotechar=self.dialect.quote)

    def _open(self) -> SealedReader:
        return SealedReader(self.path.open("rb"), self.key)

    def _parquet(self, columns: Sequence[str], skip: int) -> Generator[tuple[int, pa.RecordBatch]]:
        with (
            closing(self._open()) as raw,
            pq.ParquetFile(pa.PythonFile(raw, "r"), pre_buffer=False, buffer_size=1024 * 1024) as file,
        ):
            total, done = max(file.metadata.num_rows, 1), 0
            groups = list(range(file.num_row_groups))
            while groups and done + file.metadata.row_group(groups[0]).num_rows <= skip:
                done += file.metadata.row_group(groups.pop(0)).num_rows
            if not groups:
                return
            batches = file.iter_batches(
                batch_size=BATCH_ROWS, row_groups=groups, columns=list(columns), use_threads=False
            )
            for batch in batches:
                yield done, _as_text(batch)
                done += batch.num_rows
                self.fraction = done / total

    def _csv(self, columns: Sequence[str]) -> Generator[tuple[int, pa.RecordBatch]]:
        converting = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            include_columns=list(columns),
            strings_can_be_null=True,
            null_values=[""],
        )
        reading = pyarrow.csv.ReadOptions(
            block_size=_BLOCK_BYTES,
            use_threads=False,
            # Arrow drops the mark of UTF-8 by itself.
            encoding="utf-8" if self.dialect.encoding == "utf-8-sig" else self.dialect.encoding,
        )
        parsing = pyarrow.csv.ParseOptions(
            delimiter=self.dialect.delimiter,
            quote_char=self.dialect.quote,
            invalid_row_handler=self._skip_malformed,
        )
        done = 0
        with (
            closing(self._open()) as raw,
            pyarrow.csv.open_csv(
                pa.PythonFile(raw, "r"),
                read_options=reading,
                parse_options=parsing,
                convert_options=converting,
            ) as reader,
        ):
            for batch in _whole_batches(reader):
                self.fraction = min(raw.tell() / max(raw.size, 1), 1.0)
                yield done, batch
                done += batch.num_rows

    def _skip_malformed(self, row: pyarrow.csv.InvalidRow) -> str:
        self.malformed.add(row.number - 1)  # counted with the header
        return "skip"


def _whole_batches(blocks: Iterable[pa.RecordBatch]) -> Generator[pa.RecordBatch]:
    """Blocks of bytes as batches of rows; only the last one is smaller."""
    held: list[pa.RecordBatch] = []
    for block in blocks:
        held.append(block)
        while sum(batch.num_rows for batch in held) >= BATCH_ROWS:
            together = pa.concat_batches(held)
            yield together.slice(0, BATCH_ROWS)
            held = [together.slice(BATCH_ROWS)]
    if any(batch.num_rows for batch in held):
        yield pa.concat_batches(held)


def detect(
    path: Path, key: bytes, *, encoding: str | None, delimiter: str | None, quote: str | None
) -> Dialect:
    """By content, what the caller does not say; 422 for UTF-16, which no reader here takes."""
    with closing(SealedReader(path.open("rb"), key)) as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(b"PAR1"):
        return Dialect("parquet")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unprocessable("The file is UTF-16: save it as UTF-8")
    encoding = encoding or _encoding(head)
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    quote = quote or ("'" if text.startswith("'") else '"')
    return Dialect("csv", encoding, delimiter or _delimiter(text, quote), quote)


def _encoding(head: bytes) -> str:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    for encoding in ("utf-8", "gb18030"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeError:
            continue
        if encoding == "utf-8" or _looks_chinese(text):
            return encoding
    return "latin-1"


def _looks_chinese(text: str) -> bool:
    """Western text often decodes as GB 18030 too, but then into rare characters."""
    strange = [char for char in text if not char.isascii()]
    common = sum(1 for char in strange if _is_common(char))
    return common >= _COMMON_HAN * len(strange)


def _is_common(char: str) -> bool:
    try:
        char.encode("gb2312")
    except UnicodeError:
        return False
    return True


def _delimiter(text: str, quote: str) -> str:
    """The candidate that parts the first lines into most fields, all lines alike; a comma when none does."""
    lines = text.splitlines()[:_LINES]
    if len(lines) > 2:
        lines = lines[:-1]  # the last one may be cut
    best, most = ",", 1
    for candidate in _DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=candidate, quotechar=quote) if row]
        except csv.Error:
            continue
        if widths and widths[0] > most and widths.count(widths[0]) * 2 > len(widths):
            best, most = candidate, widths[0]
    return best


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [_text_of(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _text_of(column: pa.Array) -> pa.Array:
    """Instants in RFC 3339; local times without offset."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            return pc.strftime(column.cast(pa.timestamp(kind.unit, "UTC")), format="%Y-%m-%dT%H:%M:%SZ")
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%S")
    return column.cast(pa.string())
