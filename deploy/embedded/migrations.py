"""Schemas of all services of the embedded installation."""

from collections.abc import Sequence

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from deploy.embedded.databases import SERVICES, app_of, owner_of
from deploy.embedded.errors import StackError
from deploy.embedded.postgres import PostgresServer
from shared import migrate


def upgrade(postgres: PostgresServer, services: Sequence[str] = SERVICES) -> dict[str, str]:
    """The revision each service reached. Raise `StackError` naming the one that failed."""
    reached = {}
    for service in services:
        try:
            reached[service] = migrate.upgrade(service, _owner(postgres, service), app_of(service))
        except SQLAlchemyError as error:
            raise StackError(f"Migrating {service} failed and changed nothing: {error}") from error
    return reached


def pending(postgres: PostgresServer, services: Sequence[str] = SERVICES) -> list[str]:
    """The services whose database is behind the code."""
    return [service for service in services if migrate.pending(service, _owner(postgres, service))]


def _owner(postgres: PostgresServer, service: str) -> URL:
    return make_url(postgres.url(service, owner_of(service)))
