"""The DuckDB feature store of one process: one writer, readers on cursors of their own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import duckdb
import structlog

from services.segmentation.store import campaigns, schema
from shared.cursors import Cursors

logger = structlog.get_logger()
Result = TypeVar("Result")


class Store:
    """Open it once per process: DuckDB locks the file. Every method may be called from any thread."""

    def __init__(self, path: Path, *, threads: int = 2, memory: str = "2GB") -> None:
        self.path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": memory,
            "preserve_insertion_order": False,
        }
        self._writing = threading.Lock()
        self._cursors = Cursors(self._open())

    def _open(self) -> duckdb.DuckDBPyConnection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = duckdb.connect(str(self.path), config=self._config)
        database.execute(schema.TABLES)
        database.execute(campaigns.TABLES)
        version = database.execute("SELECT max(version) FROM store_version").fetchall()
        if version == [(None,)]:
            database.execute("INSERT INTO store_version VALUES (?)", [schema.VERSION])
        elif version != [(schema.VERSION,)]:
            logger.warning("store_outdated", path=str(self.path), version=version)
            database.close()
            self.path.unlink()
            return self._open()
        return database

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor with a consistent view of one moment."""
        with self._cursors.cursor() as cursor:
            cursor.begin()
            yield cursor

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The one writer's transaction: committed when the block ends without an error."""
        with self._writing, self._cursors.cursor() as cursor:
            cursor.begin()
            yield cursor
            cursor.commit()

    async def run(self, work: Callable[[duckdb.DuckDBPyConnection], Result]) -> Result:
        """`work` on a read cursor, in a thread."""

        def call() -> Result:
            with self.read() as cursor:
                return work(cursor)

        return await asyncio.to_thread(call)

    def watermark(self, stream: str) -> int | None:
        """The last sequence applied; `None` while the store has never been filled."""
        with self.read() as cursor:
            return position(cursor, stream)

    def close(self) -> None:
        with self._writing:
            self._cursors.close()


def position(cursor: duckdb.DuckDBPyConnection, stream: str) -> int | None:
    """The last sequence applied, as of the cursor's moment."""
    rows = cursor.execute("SELECT applied FROM watermark WHERE stream = ?", [stream]).fetchall()
    return int(rows[0][0]) if rows else None


def set_watermark(cursor: duckdb.DuckDBPyConnection, stream: str, applied: int) -> None:
    moved = cursor.execute("UPDATE watermark SET applied = ? WHERE stream = ?", [applied, stream]).fetchall()
    if moved == [(0,)]:
        cursor.execute("INSERT INTO watermark VALUES (?, ?)", [stream, applied])
