"""The DuckDB file: opened once per process, one cursor per thread of work."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb

from shared.cursors import Cursors

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS watermark (stream VARCHAR PRIMARY KEY, seq BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS applied (event_id UUID PRIMARY KEY);
CREATE TABLE IF NOT EXISTS exposure (
    campaign_id UUID NOT NULL, contact_id UUID, customer_id UUID,
    arm VARCHAR NOT NULL, propensity DOUBLE NOT NULL, assigned_at TIMESTAMP NOT NULL, wave INTEGER NOT NULL,
    segment VARCHAR NOT NULL, branch VARCHAR NOT NULL,
    manager VARCHAR, primary_manager VARCHAR, offer VARCHAR, channel VARCHAR, script VARCHAR
);
CREATE TABLE IF NOT EXISTS contact (
    campaign_id UUID NOT NULL, contact_id UUID NOT NULL, customer_id UUID NOT NULL, version INTEGER NOT NULL,
    state VARCHAR NOT NULL, disposition VARCHAR, minutes DOUBLE, cost DECIMAL(18, 2),
    recorded_at TIMESTAMP NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    customer_id UUID NOT NULL, type VARCHAR NOT NULL, time TIMESTAMP NOT NULL, amount DOUBLE,
    direction VARCHAR, channel VARCHAR, product VARCHAR, currency VARCHAR, granted VARCHAR
);
CREATE TABLE IF NOT EXISTS referral (
    referral_id UUID NOT NULL, customer_id UUID NOT NULL, home UUID, version INTEGER NOT NULL,
    state VARCHAR NOT NULL, told_at TIMESTAMP NOT NULL, day DATE NOT NULL,
    contact_id UUID, linked BOOLEAN, from_org VARCHAR NOT NULL, to_org VARCHAR NOT NULL,
    currency VARCHAR, amount DECIMAL(20, 2), referrer DECIMAL(20, 2), receiver DECIMAL(20, 2)
);
CREATE TABLE IF NOT EXISTS opportunity (
    opportunity_id UUID NOT NULL, customer_id UUID NOT NULL, home UUID, version INTEGER NOT NULL,
    from_stage VARCHAR, to_stage VARCHAR NOT NULL, told_at TIMESTAMP NOT NULL, day DATE NOT NULL,
    org VARCHAR NOT NULL, contact_id UUID, referral_id UUID,
    currency VARCHAR NOT NULL, won_amount DECIMAL(20, 2), lost_reason VARCHAR
);
CREATE TABLE IF NOT EXISTS feedback (
    feedback_id UUID PRIMARY KEY, campaign_id UUID NOT NULL, kind VARCHAR NOT NULL, subject VARCHAR,
    rating INTEGER NOT NULL, branch VARCHAR NOT NULL, given_at TIMESTAMP NOT NULL
);
CREATE TABLE IF NOT EXISTS holding (
    customer_id UUID NOT NULL, home UUID, account VARCHAR NOT NULL, product VARCHAR NOT NULL,
    category VARCHAR NOT NULL, currency VARCHAR NOT NULL, as_of DATE NOT NULL,
    balance DECIMAL(20, 2) NOT NULL, closed BOOLEAN NOT NULL
);
CREATE TABLE IF NOT EXISTS tier (
    home UUID NOT NULL, scheme VARCHAR NOT NULL, kind VARCHAR NOT NULL, tier VARCHAR,
    effective_at TIMESTAMP NOT NULL
);
CREATE TABLE IF NOT EXISTS alias (home UUID NOT NULL, survivor UUID, changed_at TIMESTAMP NOT NULL);
CREATE TABLE IF NOT EXISTS erased (home UUID NOT NULL, rows BIGINT NOT NULL);
"""
# Brings a file of any earlier version up to date where it is: the streams may have forgotten what it holds.
_ADDED = """
ALTER TABLE exposure ALTER COLUMN contact_id DROP NOT NULL;
ALTER TABLE exposure ALTER COLUMN customer_id DROP NOT NULL;
ALTER TABLE exposure ADD COLUMN IF NOT EXISTS home UUID;
ALTER TABLE exposure ADD COLUMN IF NOT EXISTS primary_manager VARCHAR;
ALTER TABLE exposure ADD COLUMN IF NOT EXISTS counted BOOLEAN DEFAULT true;
ALTER TABLE contact ADD COLUMN IF NOT EXISTS home UUID;
ALTER TABLE event ADD COLUMN IF NOT EXISTS home UUID;
ALTER TABLE event ADD COLUMN IF NOT EXISTS seq BIGINT;
"""
# Times are UTC without a zone; `arm` is empty for the hold-out. `applied` makes a message that the
# relay published twice, under two sequence numbers, count once. `home` is there when a row was recorded for
# another customer than the one it belongs to now. An exposure without a customer is an erased one's. `day` is
# that of `told_at` where the bank is. Of referrals and opportunities every version is a row. A holding is one
# account at the close of one day; a tier holds for the file it was given to, from `effective_at` on.


class Store:
    """One process's copy of exposures and outcomes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._cursors = Cursors(connection)
        self._write = asyncio.Lock()

    def watermark(self, stream: str) -> int:
        """Last sequence of `stream` applied; 0 before the first."""
        with self._cursors.cursor() as cursor:
            rows = cursor.execute("SELECT seq FROM watermark WHERE stream = ?", [stream]).fetchall()
        return int(rows[0][0]) if rows else 0

    def has_begun(self, position: str) -> bool:
        with self._cursors.cursor() as cursor:
            return bool(cursor.execute("SELECT 1 FROM watermark WHERE stream = ?", [position]).fetchall())

    def begin(self, position: str, seq: int) -> None:
        """Sets a watermark that is not there yet."""
        with self._cursors.cursor() as cursor:
            cursor.execute("INSERT OR IGNORE INTO watermark VALUES (?, ?)", [position, seq])

    async def read(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """`work` in a thread, seeing one consistent state of the store."""
        return await asyncio.to_thread(self._in_transaction, work)

    async def write(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """`work` in a thread as one transaction; writers take turns."""
        async with self._write:
            return await asyncio.to_thread(self._in_transaction, work)

    def _in_transaction(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        with self._cursors.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                result = work(cursor)
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")
            return result

    def close(self) -> None:
        self._cursors.close()


def open_store(file: Path, *, memory: str, threads: int) -> Store:
    """Open or create the store; another process holding the file is an error."""
    file.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "preserve_insertion_order": False,
    }
    # Where it expects few rows it would compare each with each, and of one part of many it expects few.
    connection = duckdb.connect(str(file), config=config | {"asof_loop_join_threshold": 0})
    connection.execute(_SCHEMA)
    connection.execute(_ADDED)
    return Store(connection)
