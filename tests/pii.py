"""Looks for values in the clear, in whatever encoding, in files, databases and columnar stores.

A value counts as found in UTF-8, GB18030, UTF-16, as JSON escapes, as hexadecimal text or as base64 of any
alignment. Compressed or encrypted content is not opened: stores are read as tables as well as as files.
"""

import base64
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import duckdb
import psycopg
from psycopg import sql

_TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


class Hit(NamedTuple):
    place: str
    name: str
    encoding: str


class Needle(NamedTuple):
    name: str
    encoding: str
    raw: bytes


@dataclass
class Scanner:
    """Collects what it finds of `values` (name → value) and counts what it read."""

    values: Mapping[str, str]
    hits: list[Hit] = field(default_factory=list)
    files: int = 0
    tables: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        self._clean: set[bytes] = set()
        self._needles = [needle for name, value in self.values.items() for needle in needles(name, value)]

    def data(self, place: str, content: bytes) -> None:
        self.size += len(content)
        content = content.rstrip(b"\0") + b"\0"  # the last character of UTF-16 may end in one
        digest = sha256(content).digest()
        if digest in self._clean:  # databases begin as copies of one template
            return
        found = len(self.hits)
        for needle in self._needles:
            if content.find(needle.raw) >= 0:
                self.hits.append(Hit(place, needle.name, needle.encoding))
        if len(self.hits) == found:
            self._clean.add(digest)

    def file(self, path: Path, place: str) -> None:
        self.files += 1
        self.data(f"name of {place}", str(path.name).encode())
        self.data(place, path.read_bytes())

    def directory(self, root: Path, *, without: Iterable[str] = ()) -> None:
        """Every file below `root` as it lies on disk, except top folders named in `without`."""
        skipped = set(without)
        for path in sorted(root.rglob("*")):
            relative = path.relative_to(root)
            if path.is_file() and not path.is_symlink() and relative.parts[0] not in skipped:
                self.file(path, str(relative))

    def database(self, name: str, conninfo: str) -> None:
        """Every row of every table, in binary: text as UTF-8, sealed columns as their bytes."""
        with psycopg.connect(conninfo, autocommit=True) as connection:
            for (table,) in connection.execute(_TABLES).fetchall():
                command = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT binary)")
                with connection.cursor().copy(command.format(sql.Identifier(table))) as copy:
                    content = b"".join(bytes(part) for part in copy)
                self.tables += 1
                self.data(f"{name}.{table}", content)

    def duckdb(self, store: Path, aside: Path) -> None:
        """Every value of every table of a copy of the store: strings are compressed in the file itself."""
        copy = aside / store.name
        for suffix in ("", ".wal"):
            source = store.with_name(store.name + suffix)
            if source.exists():
                shutil.copy(source, copy.with_name(copy.name + suffix))
        with duckdb.connect(str(copy)) as connection:
            names = connection.execute(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
            ).fetchall()
            for schema, table in names:
                rows = connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()
                self.tables += 1
                self.data(f"{store.name}:{table}", repr(rows).encode())

    def told(self) -> str:
        return (
            f"{len(self.values)} values as {len(self._needles)} byte strings; {self.files} files,"
            f" {self.tables} tables, {self.size / 1e6:.1f} MB; {len(self.hits)} found"
        )


def needles(name: str, value: str) -> Iterator[Needle]:
    """The byte strings that show `value`."""
    utf8 = value.encode()
    yield Needle(name, "utf-8", utf8)
    escaped = json.dumps(value)[1:-1].encode()
    if escaped != utf8:
        yield Needle(name, "json", escaped)
        yield Needle(name, "gb18030", value.encode("gb18030"))
    yield Needle(name, "utf-16-le", value.encode("utf-16-le"))
    yield Needle(name, "utf-16-be", value.encode("utf-16-be"))
    yield Needle(name, "hex", utf8.hex().encode())
    yield Needle(name, "HEX", utf8.hex().upper().encode())
    # Within a longer text the value begins at any of three places of a group of four characters.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + utf8)
        whole = encoded[4 if shift else 0 : len(encoded) - 4]
        yield Needle(name, f"base64+{shift}", whole)
