"""Schemas of all services at once, each in a process of its own."""

import os
import subprocess
import sys

from deploy.embedded import process
from deploy.embedded.databases import SERVICES, app_of, owner_of
from deploy.embedded.errors import StackError
from deploy.embedded.postgres import PostgresServer


def migration_environment(postgres: PostgresServer, service: str) -> dict[str, str]:
    return {
        **os.environ,
        "HUANYING_DATABASE_URL": postgres.url(service, app_of(service)),
        "HUANYING_MIGRATION_URL": postgres.url(service, owner_of(service)),
    }


def migrate_all(postgres: PostgresServer) -> None:
    """Raise `StackError` with the migration's own words when one fails."""
    children = {
        service: process.spawn(
            [sys.executable, "-m", "deploy.migrate", service],
            env=migration_environment(postgres, service),
            output=subprocess.PIPE,
        )
        for service in SERVICES
    }
    words = {service: child.communicate()[0].decode(errors="replace") for service, child in children.items()}
    for service, child in children.items():
        if child.returncode != 0:
            tail = "\n".join(words[service].splitlines()[-15:])
            raise StackError(f"The migrations of {service} failed; nothing of it was changed:\n{tail}")
