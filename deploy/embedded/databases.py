"""One database per service, with an owner (migrations) and an application role (everything else)."""

from typing import LiteralString

from psycopg import Connection, sql

SERVICES = ("customer", "segmentation", "campaign", "evaluation")

# NOBYPASSRLS and not the owner: row-level security holds for the application whatever its code does.
APP_ATTRIBUTES: LiteralString = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS INHERIT"


def owner_of(service: str) -> str:
    return f"{service}_owner"


def app_of(service: str) -> str:
    return f"{service}_app"


def create_database(connection: Connection, service: str) -> None:
    """Idempotent. The connection is a superuser's, in autocommit (CREATE DATABASE refuses a transaction)."""
    owner, app = sql.Identifier(owner_of(service)), sql.Identifier(app_of(service))
    for name, identifier in ((owner_of(service), owner), (app_of(service), app)):
        if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", name):
            connection.execute(sql.SQL("CREATE ROLE {} " + APP_ATTRIBUTES).format(identifier))
    database = sql.Identifier(service)
    if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", service):
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
    # Schema public belongs to pg_database_owner, that is to the owner; the others may only enter.
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, app))


def _exists(connection: Connection, query: LiteralString, name: str) -> bool:
    return connection.execute(query, (name,)).fetchone() is not None
