"""Cursors of a DuckDB database that is closed while somebody reads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from shared.cursors import Cursors

_ENDLESS = "SELECT count(*) FROM range(100_000_000) a, range(10_000) b WHERE (a.range * b.range) % 7 = 3"


def test_closing_interrupts_whoever_reads() -> None:
    cursors, reading = Cursors(duckdb.connect(":memory:")), threading.Event()

    def read() -> None:
        with cursors.cursor() as cursor:
            reading.set()
            cursor.execute(_ENDLESS).fetchall()

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        assert reading.wait(30)
        # Nearly always in the midst of it; on a busy machine the reader may find the database closed already.
        time.sleep(0.2)
        cursors.close()
        with pytest.raises((duckdb.InterruptException, duckdb.ConnectionException)):
            reader.result(30)
    with pytest.raises(duckdb.ConnectionException), cursors.cursor():
        pass


def test_cursors_open_in_many_threads_while_the_database_closes() -> None:
    cursors = Cursors(duckdb.connect(":memory:"))
    began = threading.Barrier(9)

    def read() -> str:
        began.wait(30)
        try:
            for _ in range(200):
                with cursors.cursor() as cursor:
                    cursor.execute("SELECT 1").fetchall()
        except duckdb.ConnectionException:
            return "closed"
        except duckdb.InterruptException:
            return "interrupted"
        return "read"

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(8)]
        began.wait(30)
        cursors.close()
        assert {reader.result(30) for reader in readers} <= {"closed", "interrupted", "read"}


def test_an_idle_cursor_does_not_hold_up_the_end() -> None:
    cursors = Cursors(duckdb.connect(":memory:"))
    reading = cursors.cursor()
    reading.__enter__().execute("SELECT 1").fetchall()
    cursors.close()
    reading.__exit__(None, None, None)


def test_a_cursor_left_while_a_thread_works_on_it_interrupts_the_thread() -> None:
    cursors, working = Cursors(duckdb.connect(":memory:")), threading.Event()

    def work(cursor: duckdb.DuckDBPyConnection) -> None:
        working.set()
        cursor.execute(_ENDLESS).fetchall()

    with ThreadPoolExecutor(1) as pool:
        with cursors.cursor() as cursor:
            worker = pool.submit(work, cursor)
            assert working.wait(30)
            time.sleep(0.2)
        with pytest.raises((duckdb.InterruptException, duckdb.ConnectionException)):
            worker.result(30)
    with cursors.cursor() as another:
        assert another.execute("SELECT 1").fetchall() == [(1,)]
    cursors.close()
