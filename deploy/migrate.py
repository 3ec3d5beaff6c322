"""`python -m deploy.migrate <service> [--check]`: bring one service's schema to the newest revision.

Told by the environment like the service itself: HUANYING_MIGRATION_URL is the schema's owner,
HUANYING_DATABASE_URL names the role that gets the application's rights. One process per service, because
the models of two services do not live in one registry.
"""

import sys

from shared import migrate
from shared.settings import SERVICES, Settings

PENDING = 3
"""Exit code of `--check` when the database is behind the code."""


def upgrade(service: str) -> str:
    """The revision reached."""
    settings = Settings()
    return migrate.upgrade(service, settings.migration_database, app_role(settings))


def pending(service: str) -> bool:
    return migrate.pending(service, Settings().migration_database)


def app_role(settings: Settings) -> str:
    role = settings.database.username
    if role is None:
        raise ValueError("HUANYING_DATABASE_URL names no role: the application's rights go to nobody")
    return role


def main() -> None:
    match sys.argv[1:]:
        case [service] if service in SERVICES:
            print(upgrade(service))
        case [service, "--check"] if service in SERVICES:
            sys.exit(PENDING if pending(service) else 0)
        case _:
            sys.exit(f"usage: python -m deploy.migrate {{{'|'.join(SERVICES)}}} [--check]")


if __name__ == "__main__":
    main()
