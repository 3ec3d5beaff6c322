# ruff: noqa: S608  columns go by positions: nothing a file says gets into a statement
"""Somebody's own table as DuckDB can read it: CSV of any encoding, Parquet, Arrow IPC.

Columns go by their position inside, so that no name – doubled, quoted, Chinese – can confuse a statement.
"""

import codecs
import csv
import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from shared.contracts.evaluation.analyse import TableFormat
from shared.errors import FieldError, TooLarge, Unprocessable

_BLOCK = 1024 * 1024
_SHEETS = {
    b"PK\x03\x04": "an Excel workbook or another zip archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
}
_GZIP = b"\x1f\x8b"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DELIMITERS = ",;\t|"
_LINES = 50
_NAMES = {"csv": "CSV", "parquet": "Parquet", "arrow": "Arrow IPC"}
_SHOWN = 60
_SMALL_BYTES = 16 * 1024**2
"""Of a file that is worked on in memory; a larger one's columns lie compressed on the disk."""
INPUT = "arrow_input"
BROKEN = (duckdb.Error, pa.ArrowException, UnicodeError)
"""What libraries raise over a file that is not what it seems to be."""


class UnreadableTable(Unprocessable):
    """The file is no table that can be read; the detail says why."""

    slug, title = "unreadable-table", "The file cannot be read as a table"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[FieldError("/file", "cannot be read as a table")])


@dataclass(frozen=True, slots=True)
class TableColumn:
    """`name` as the file has it, `sql` as statements have it, `type` as DuckDB calls it."""

    name: str
    sql: str
    type: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """What opening a table may use. `most_bytes` unpacked and `most_rows` are refused beyond."""

    memory: str = "1GB"
    threads: int = 2
    most_bytes: int | None = None
    most_rows: int | None = None
    directory: Path | None = None
    """Where temporary files go; the system's place if None."""


@dataclass(frozen=True, slots=True)
class Table:
    """An open file: `source` stands behind FROM, with `parameters`; it can be read once."""

    cursor: duckdb.DuckDBPyConnection
    columns: list[TableColumn]
    source: str
    parameters: list[object]
    format: TableFormat
    encoding: str | None = None
    """Of a file that is not UTF-8."""

    def column(self, name: str, option: str) -> TableColumn:
        """The one column of this name; 422 naming `option` and the columns there are otherwise."""
        found = [column for column in self.columns if column.name == name]
        found = found or [column for column in self.columns if column.name == name.strip()]
        if len(found) == 1:
            return found[0]
        if found:
            detail = f"The file has {len(found)} columns named {name!r}: rename all but one."
        else:
            near = get_close_matches(name, [column.name for column in self.columns], 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            detail = f"There is no column {name!r}.{hint} The columns are: {self.listed()}."
        raise Unprocessable(detail, slug="no-such-column", errors=[FieldError(f"/{option}", detail)])

    def has(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)

    def listed(self) -> str:
        names = [column.name[:_SHOWN] or "(without a name)" for column in self.columns]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more


@contextmanager
def open_table(file: Path, form: TableFormat | None, bounds: Bounds) -> Iterator[Table]:
    """The table in `file`, and a database of its own to work in; both are gone afterwards.

    422 when it cannot be read, 413 when it is larger than `bounds` allow.
    """
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="huanying-analyse-", dir=bounds.directory))
        )
        head = _head(file)
        form = form or _format(head)
        # Under a name of ours: in that of the file, brackets and stars would be patterns.
        link = folder / "input"
        link.symlink_to(file.resolve())
        large = file.stat().st_size > _SMALL_BYTES
        connection = duckdb.connect(
            str(folder / "table.duckdb") if large else ":memory:",
            config={
                "memory_limit": bounds.memory,
                "threads": bounds.threads,
                "temp_directory": str(folder / "spill"),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        stack.callback(connection.close)
        try:
            table = _opened_as(form, connection, link, stack, folder, bounds)
            _check_rows(table, bounds)
        except (*BROKEN, OSError) as error:
            raise UnreadableTable(f"The file is not valid {_NAMES[form]}: {_first_line(error)}") from error
        try:
            yield table
        except duckdb.OutOfMemoryException as error:
            detail = f"The table needs more than the {bounds.memory} of memory that an analysis may take."
            raise TooLarge(detail) from error


def _opened_as(
    form: TableFormat,
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    stack: ExitStack,
    folder: Path,
    bounds: Bounds,
) -> Table:
    if form == "parquet":
        return _parquet(connection, file)
    if form == "arrow":
        return _arrow(connection, file, stack)
    return _csv(connection, file, folder, bounds)


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            head = opened.read(8)
    except OSError as error:
        raise UnreadableTable(f"{file}: {error.strerror or error}") from error
    if not head:
        raise UnreadableTable("The file is empty.")
    return head


def _format(head: bytes) -> TableFormat:
    for mark, name in _SHEETS.items():
        if head.startswith(mark):
            raise UnreadableTable(f"This is {name}: save the sheet as CSV (UTF-8) and take that.")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    return "csv"


def _check_rows(table: Table, bounds: Bounds) -> None:
    """A few bytes of Parquet can stand for billions of rows."""
    if bounds.most_rows is None or table.format != "parquet":
        return
    rows = table.cursor.execute(f"SELECT count(*) FROM {table.source}", table.parameters).fetchall()[0][0]
    if rows > bounds.most_rows:
        raise TooLarge(f"The table has {rows:,} rows; at most {bounds.most_rows:,} are taken.")


def _parquet(connection: duckdb.DuckDBPyConnection, file: Path) -> Table:
    names = list(pq.read_schema(file).names)
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(file)]).fetchall()
    columns = [
        TableColumn(name, _quoted(str(row[0])), str(row[1]))
        for name, row in zip(names, described, strict=True)
    ]
    return Table(connection, columns, "read_parquet(?)", [str(file)], "parquet")


def _arrow(connection: duckdb.DuckDBPyConnection, file: Path, stack: ExitStack) -> Table:
    """An IPC file or stream, mapped into memory and passed on batch by batch."""
    mapped = stack.enter_context(pa.memory_map(str(file)))
    batches, schema = _batches(mapped)
    inner = pa.schema([pa.field(f"c{at}", field.type) for at, field in enumerate(schema)])
    renamed = (_checked(pa.RecordBatch.from_arrays(batch.columns, schema=inner)) for batch in batches)
    connection.register(INPUT, pa.RecordBatchReader.from_batches(inner, renamed))
    described = connection.execute(f"DESCRIBE {INPUT}").fetchall()
    columns = [
        TableColumn(field.name, f"c{at}", str(row[1]))
        for at, (field, row) in enumerate(zip(schema, described, strict=True))
    ]
    return Table(connection, columns, INPUT, [], "arrow")


def _checked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Arrow takes the offsets in a file for granted; in somebody's file they could point anywhere."""
    batch.validate(full=True)
    return batch


def _batches(mapped: pa.MemoryMappedFile) -> tuple[Iterator[pa.RecordBatch], pa.Schema]:
    if mapped.read(6) == b"ARROW1":
        mapped.seek(0)
        reader = pa.ipc.open_file(mapped)
        return (reader.get_batch(at) for at in range(reader.num_record_batches)), reader.schema
    mapped.seek(0)
    stream = pa.ipc.open_stream(mapped)
    return iter(stream), stream.schema


def _csv(connection: duckdb.DuckDBPyConnection, link: Path, folder: Path, bounds: Bounds) -> Table:
    packed = _head(link).startswith(_GZIP)
    encoding = _encoding(link, bounds, packed=packed)
    other = None if encoding in {"utf-8", "utf-8-sig"} else encoding
    file = _as_utf8(link, folder, other, packed=packed) if other else link
    packed = packed and file == link
    with _opened(file, packed=packed) as opened:
        text = opened.read(_BLOCK).decode("utf-8", errors="ignore").removeprefix("\ufeff")
    delimiter = _delimiter(text)
    names = [name.strip() for name in next(_rows(text, delimiter), [])]
    if not any(names):
        raise UnreadableTable("The first line must name the columns, and it is empty.")
    texts = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(len(names)))
    source = (
        "read_csv(?, auto_detect = false, all_varchar = true, header = true, delim = ?, quote = '\"',"
        f" escape = '\"', compression = ?, columns = {{{texts}}})"
    )
    parameters: list[object] = [str(file), delimiter, "gzip" if packed else "none"]
    columns = [TableColumn(name, f"c{at}", "VARCHAR") for at, name in enumerate(names)]
    return Table(connection, columns, source, parameters, "csv", other)


@contextmanager
def _opened(file: Path, *, packed: bool) -> Iterator[BinaryIO]:
    with cast("BinaryIO", gzip.open(file, "rb") if packed else file.open("rb")) as opened:
        yield opened


def _encoding(file: Path, bounds: Bounds, *, packed: bool) -> str:
    """Of the whole file: a Chinese name may stand in the last line only. A mark at its start comes first."""
    try:
        with _opened(file, packed=packed) as opened:
            head = opened.read(4)
        marked = [name for mark, name in _MARKS if head.startswith(mark)]
        candidates = marked or ["utf-8", "gb18030"]
        return next((name for name in candidates if _decodes(file, name, bounds, packed=packed)), "latin-1")
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableTable(f"The file cannot be unpacked: {_first_line(error)}") from error


def _decodes(file: Path, encoding: str, bounds: Bounds, *, packed: bool) -> bool:
    decoder, size = codecs.getincrementaldecoder(encoding)(), 0
    try:
        with _opened(file, packed=packed) as opened:
            while block := opened.read(_BLOCK):
                size += len(block)
                if bounds.most_bytes is not None and size > bounds.most_bytes:
                    raise TooLarge(f"At most {bounds.most_bytes:,} bytes are taken, unpacked.")
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _as_utf8(file: Path, folder: Path, encoding: str, *, packed: bool) -> Path:
    """A copy that DuckDB can read."""
    copy, decoder = folder / "utf8.csv", codecs.getincrementaldecoder(encoding)()
    with _opened(file, packed=packed) as opened, copy.open("wb") as written:
        while block := opened.read(_BLOCK):
            written.write(decoder.decode(block).encode())
        written.write(decoder.decode(b"", final=True).encode())
    return copy


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _delimiter(text: str) -> str:
    """The candidate that parts the first lines into most fields, all alike; a comma when none does."""
    best, most = ",", 1
    for candidate in _DELIMITERS:
        widths = []
        try:
            for row in _rows(text, candidate):
                widths += [len(row)] if row else []
                if len(widths) == _LINES:
                    break
        except csv.Error:
            continue
        if widths and widths[0] > most and widths.count(widths[0]) * 2 > len(widths):
            best, most = candidate, widths[0]
    return best


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
