"""Migrations of one service as the environment names its database: the one-shot containers.

HUANYING_MIGRATION_URL is the schema's owner; HUANYING_DATABASE_URL names the role that gets the application's
rights.
"""

from shared import migrate
from shared.settings import Settings


def upgrade(service: str) -> str:
    """The revision reached."""
    settings = Settings()
    return migrate.upgrade(service, settings.migration_database, app_role(settings))


def pending(service: str) -> bool:
    """Whether the database is behind the code."""
    return migrate.pending(service, Settings().migration_database)


def app_role(settings: Settings) -> str:
    role = settings.database.username
    if role is None:
        raise ValueError("HUANYING_DATABASE_URL names no role: the application's rights go to nobody")
    return role
