"""Cursors of one DuckDB database, which refuses two calls on one connection at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


class Cursors:
    """Opens cursors one after another for any thread, and closes the database when nobody works on it."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._open: set[duckdb.DuckDBPyConnection] = set()
        self._changed = threading.Condition()

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._changed:
            cursor = self._database.cursor()
            self._open.add(cursor)
        try:
            yield cursor
        finally:
            with self._changed:
                self._end(cursor)
                self._open.discard(cursor)
                self._changed.notify_all()

    def _end(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Whoever opened it for a thread may be cancelled before the thread is through: it is interrupted."""
        while True:
            try:
                cursor.close()
            except duckdb.ResourceInUseException:
                cursor.interrupt()
                self._changed.wait(timeout=0.05)
            else:
                return

    def close(self) -> None:
        """Close the database; whoever still works on it is interrupted first. Idle cursors go with it."""
        with self._changed:
            while True:
                try:
                    self._database.close()
                except duckdb.ResourceInUseException:
                    for cursor in self._open:
                        cursor.interrupt()
                    # Again and again: one may have been between two statements.
                    self._changed.wait(timeout=0.05)
                else:
                    return
