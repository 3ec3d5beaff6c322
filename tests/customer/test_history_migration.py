"""A database of the first release: its consents stay, become the ledger's beginning, and the way back works."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, make_url, text

from shared.migrate import configuration
from tests.support import Servers

CUSTOMER = "01900000-0000-7000-8000-000000000001"
FIRST_RELEASE = f"""
SET huanying.org_scope = '*';
INSERT INTO org_unit (code, level, name_zh, name_en, active, version) VALUES ('hq', 'hq', 'a', 'a', true, 1);
INSERT INTO customer (id, kind, org_path, pii, pii_digest, created_at, updated_at)
  VALUES ('{CUSTOMER}', 'person', 'hq', '', '', now(), now());
INSERT INTO consent (customer_id, channel, granted, changed_at, source)
  VALUES ('{CUSTOMER}', 'call', true, '2026-01-01T00:00:00Z', 'core');
INSERT INTO holding_day (customer_id, account, as_of, balance, measured_at)
  VALUES ('{CUSTOMER}', 'A', '2026-01-01', 5, now())
"""


@pytest.fixture
def connection(servers: Servers) -> Iterator[Connection]:
    """A database of its own, owned by the customer service's owner."""
    admin = servers.postgres.url("postgres").replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS old_release")
        server.execute("CREATE DATABASE old_release OWNER customer_owner")
    engine = create_engine(make_url(servers.postgres.url("old_release", "customer_owner")))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_rows_of_the_first_release_are_kept(connection: Connection) -> None:
    config = configuration("customer", connection)
    command.upgrade(config, "0004")
    connection.exec_driver_sql(FIRST_RELEASE)
    command.upgrade(config, "head")
    present = connection.execute(text("SELECT purpose, granted, valid_until, expired FROM consent")).all()
    assert [tuple(row) for row in present] == [("marketing", True, None, False)]
    ledger = connection.execute(text("SELECT purpose, granted, source, recorded_by FROM consent_entry")).all()
    assert [tuple(row) for row in ledger] == [("marketing", True, "core", None)]
    connection.execute(text("UPDATE customer SET gender = 'F'"))
    connection.execute(text("UPDATE holding_day SET balance = 7, recorded_at = now()"))
    assert connection.execute(text("SELECT version, gender, changed_by FROM customer_history")).all() == [
        (1, None, None)
    ]
    assert connection.execute(text("SELECT balance, recorded_from FROM holding_day_superseded")).all() == [
        (5, None)
    ]


def test_the_way_back(connection: Connection) -> None:
    config = configuration("customer", connection)
    command.upgrade(config, "0005")
    command.downgrade(config, "0004")
    command.upgrade(config, "0005")
    assert connection.execute(text("SELECT count(*) FROM customer_history")).scalar_one() == 0
