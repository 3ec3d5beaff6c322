"""Alembic, the same way for every service: `services/<name>/migrations`, run as the schema's owner."""

import importlib
import logging
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, create_engine, text

import shared.webhooks.models  # noqa: F401 - registers the tables
from shared.db import metadata

logger = logging.getLogger(__name__)

# Objects procrastinate owns: alembic must neither create nor drop them.
_FOREIGN_PREFIX = "procrastinate_"

_GRANTS = (
    'GRANT USAGE ON SCHEMA public TO "{role}"',
    'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}"',
    'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{role}"',
    'REVOKE UPDATE, DELETE ON audit_log FROM "{role}"',
    'REVOKE ALL ON alembic_version FROM "{role}"',
)


def configuration(service: str, connection: Connection | None = None) -> Config:
    root = Path(importlib.import_module(f"services.{service}").__path__[0])
    config = Config()
    config.set_main_option("script_location", str(root / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(service: str, owner: URL, app_role: str) -> str:
    """Bring one service's schema to the newest revision and grant the application its rights.

    Safe to run by several starters at once: they wait for one another on an advisory lock.
    Returns the revision reached.
    """
    engine = create_engine(owner)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('huanying.migrate'))"))
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))
            config = configuration(service, connection)
            command.upgrade(config, "head")
            for grant in _GRANTS:
                connection.execute(text(grant.format(role=app_role)))
            return str(MigrationContext.configure(connection).get_current_revision())
    finally:
        engine.dispose()


def pending(service: str, owner: URL) -> bool:
    """Whether the database is behind the code."""
    engine = create_engine(owner)
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        return current != ScriptDirectory.from_config(configuration(service)).get_current_head()
    finally:
        engine.dispose()


def run_env() -> None:
    """Body of every `migrations/env.py`: online only, in the caller's transaction when there is one."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=lambda _object, name, *_: not str(name).startswith(_FOREIGN_PREFIX),
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
