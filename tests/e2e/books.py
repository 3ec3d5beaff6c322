"""The books after a run, read past the services: what every database and store really holds."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psycopg

from deploy.embedded.stack import Stack
from shared.settings import SERVICES


@dataclass(frozen=True)
class Books:
    """Counts of the same things in different places."""

    customers: int
    events: int
    ledger: int
    contacted: int
    contacted_twice: int
    recorded_attempts: int
    unsent: dict[str, int]
    parked: int
    dead_letters: int
    campaign_customers: int
    segment_members_known: int
    segment_members: int

    def problems_before_stores(self) -> list[str]:
        """Whatever does not add up between the databases, in words."""
        return _broken(
            {
                "nobody was contacted twice": self.contacted_twice == 0,
                "nothing waits in an outbox": not any(self.unsent.values()),
                "nothing is parked": self.parked == 0,
                "no dead letters": self.dead_letters == 0,
                "campaign knows every customer": self.campaign_customers == self.customers,
                "campaign has every segment member": self.segment_members_known == self.segment_members,
            }
        )

    def problems(self, stores: "Stores") -> list[str]:
        """The same, with what the DuckDB stores hold."""
        return self.problems_before_stores() + _broken(
            {
                "the feature store has every customer": stores.feature_customers == self.customers,
                "the feature store has every event once": stores.feature_events == self.events,
                "the outcome store has every exposure once": stores.exposures == self.contacted,
                "the outcome store has no exposure twice": stores.exposures_twice == 0,
            }
        )


@dataclass(frozen=True)
class Stores:
    feature_customers: int
    feature_events: int
    exposures: int
    exposures_twice: int


def read_books(stack: Stack) -> Books:
    """From the running stack's PostgreSQL, as its superuser."""
    return Books(
        customers=_count(stack, "customer", "SELECT count(*) FROM customer"),
        events=_count(stack, "customer", "SELECT count(*) FROM customer_event"),
        parked=_count(stack, "customer", "SELECT count(*) FROM parked_event"),
        ledger=_count(stack, "campaign", "SELECT count(*) FROM contact"),
        contacted=_count(stack, "campaign", "SELECT count(*) FROM contact WHERE state <> 'suppressed'"),
        contacted_twice=_count(
            stack,
            "campaign",
            "SELECT count(*) FROM (SELECT campaign_id, customer_id FROM contact"
            " GROUP BY campaign_id, customer_id HAVING count(*) > 1) AS twice",
        ),
        recorded_attempts=_count(stack, "campaign", "SELECT count(*) FROM attempt"),
        campaign_customers=_count(stack, "campaign", "SELECT count(*) FROM known_customer"),
        segment_members_known=_count(stack, "campaign", "SELECT count(*) FROM segment_member WHERE member"),
        segment_members=_count(stack, "segmentation", "SELECT coalesce(sum(size), 0) FROM segment"),
        unsent={
            service: _count(stack, service, "SELECT count(*) FROM outbox WHERE sent_at IS NULL")
            for service in SERVICES
        },
        dead_letters=_dead_letters(stack),
    )


def settled_books(stack: Stack, *, seconds: float = 60) -> Books:
    """The books once they are the same twice and add up: segments are evaluated a moment after the last
    event, and campaign hears of it a moment later. When they never do, the last ones, for the assertion.
    """
    deadline = time.monotonic() + seconds
    before, books = None, read_books(stack)
    while (books != before or books.problems_before_stores()) and time.monotonic() < deadline:
        time.sleep(2)
        before, books = books, read_books(stack)
    return books


def caught_up(stack: Stack, service: str) -> bool:
    """Whether the service's store has applied everything its streams hold now."""
    headers = {"Authorization": f"Bearer {stack.token('admin')}"}
    answer = httpx.get(f"{stack.base_url}/api/{service}/v1/feed", headers=headers)
    if answer.status_code != 200:
        return False
    found = answer.json()
    return all(feed["lag"] == 0 for feed in found.get("streams", [found]))


def audited(stack: Stack) -> int:
    """Members that incremental evaluation and one of everybody do not agree about."""
    headers = {"Authorization": f"Bearer {stack.token('strategist')}"}
    url = f"{stack.base_url}/api/segmentation/v1/segments:audit"
    found = httpx.post(url, headers=headers, timeout=60).raise_for_status().json()
    assert found["segments"], "no segment is evaluated incrementally"
    return int(found["differences"])


def read_stores(data_dir: Path) -> Stores:
    """From the DuckDB files; only when their services have stopped."""
    features = data_dir / "services" / "segmentation" / "features.duckdb"
    outcomes = data_dir / "services" / "evaluation" / "evaluation.duckdb"
    with duckdb.connect(str(features), read_only=True) as store:
        customers, events = (
            _one(store, "SELECT count(DISTINCT ordinal) FROM customer"),
            _one(store, "SELECT count(*) FROM event"),
        )
    with duckdb.connect(str(outcomes), read_only=True) as store:
        exposures = _one(store, "SELECT count(*) FROM exposure")
        twice = exposures - _one(store, "SELECT count(DISTINCT (campaign_id, customer_id)) FROM exposure")
    return Stores(customers, events, exposures, twice)


def _broken(claims: dict[str, bool]) -> list[str]:
    return [claim for claim, holds in claims.items() if not holds]


def _one(store: duckdb.DuckDBPyConnection, query: str) -> int:
    row = store.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _count(stack: Stack, database: str, query: str) -> int:
    conninfo = stack.postgres.url(database, "postgres").replace("+psycopg", "")
    with psycopg.connect(conninfo) as connection:
        row: Any = connection.execute(query).fetchone()  # type: ignore[call-overload]
        return int(row[0])


def _dead_letters(stack: Stack) -> int:
    import asyncio

    from shared.bus import Bus
    from shared.settings import Settings

    async def count() -> int:
        bus = Bus(Settings(nats_url=stack.nats.url), "books")
        await bus.connect()
        try:
            return int((await bus.js.stream_info("DLQ")).state.messages)
        finally:
            await bus.close()

    return asyncio.run(count())
