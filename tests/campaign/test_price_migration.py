"""Prices and visits of an earlier release: what quotes went by goes on, what was made counts, and the way back."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, make_url, text

from shared.migrate import configuration
from tests.support import Servers

CUSTOMER = "01900000-0000-7000-8000-000000000001"
MADE, ERASED = (f"01900000-0000-7000-8000-00000000000{n}" for n in (2, 3))
EARLIER = f"""
SET huanying.org_scope = '*';
INSERT INTO price_list (key, version, content, created_at, created_by) VALUES ('p', 1, '{{}}', now(), 'user:S');
INSERT INTO erased_customer (id, receipt_id, erased_at) VALUES ('{ERASED}', '{ERASED}', now());
INSERT INTO visit (id, customer_id, org_path, manager, state, at, purpose, participants, minutes, created_at,
  created_by, closed_at, closed_by, version)
SELECT id::uuid, customer::uuid, 'hq', 'A', 'made', '2026-01-01T00:00Z', '', '[]', 5, now(), 'user:A', now(),
  'user:A', 1
FROM (VALUES ('{MADE}', '{CUSTOMER}'), ('{ERASED}', '{ERASED}')) AS v(id, customer)
"""


@pytest.fixture
def connection(servers: Servers) -> Iterator[Connection]:
    """A database of its own, owned by the campaign service's owner."""
    admin = servers.postgres.url("postgres").replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS old_prices")
        server.execute("CREATE DATABASE old_prices OWNER campaign_owner")
    engine = create_engine(make_url(servers.postgres.url("old_prices", "campaign_owner")))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_prices_in_force_stay_so_and_visits_count(connection: Connection) -> None:
    config = configuration("campaign", connection)
    command.upgrade(config, "0017")
    connection.exec_driver_sql(EARLIER)
    command.upgrade(config, "0018")
    lists = connection.execute(text("SELECT state, decided_by FROM price_list")).all()
    assert [tuple(row) for row in lists] == [("approved", None)]
    counted = connection.execute(text("SELECT id::text, customer_id::text FROM outside_contact")).all()
    assert [tuple(row) for row in counted] == [(MADE, CUSTOMER)]
    connection.execute(
        text(
            "INSERT INTO price_list (key, version, content, created_at, created_by)"
            " VALUES ('p', 2, '{}', now(), 'user:S')"
        )
    )
    assert connection.scalar(text("SELECT state FROM price_list WHERE version = 2")) == "in_review"
    command.downgrade(config, "0017")
    assert connection.scalar(text("SELECT count(*) FROM outside_contact")) == 0
    assert connection.scalar(text("SELECT count(*) FROM price_list")) == 1
