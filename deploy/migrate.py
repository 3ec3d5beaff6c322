"""`python -m deploy.migrate <service>`: bring one service's schema to the newest revision.

Told by the environment like the service itself: HUANYING_MIGRATION_URL is the schema's owner,
HUANYING_DATABASE_URL names the role that gets the application's rights. One process per service, because
the models of two services do not live in one registry.
"""

import sys

from shared import migrate
from shared.settings import SERVICES, Settings


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
    if len(sys.argv) != 2 or sys.argv[1] not in SERVICES:
        sys.exit(f"usage: python -m deploy.migrate {{{'|'.join(SERVICES)}}}")
    print(upgrade(sys.argv[1]))


if __name__ == "__main__":
    main()
