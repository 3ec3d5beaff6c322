"""Schemas of all services at once, each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence

from deploy.embedded import process
from deploy.embedded.databases import SERVICES, app_of, owner_of
from deploy.embedded.errors import StackError
from deploy.embedded.postgres import PostgresServer
from deploy.migrate import PENDING


def migrate(postgres: PostgresServer, services: Sequence[str] = SERVICES) -> dict[str, str]:
    """The revision each service reached. Raise `StackError` with the migration's own words when one fails."""
    answers = _run(postgres, services, [])
    for service, (code, words) in answers.items():
        if code != 0:
            raise StackError(f"Migrating {service} failed and changed nothing:\n{_tail(words)}")
    return {service: words.strip().splitlines()[-1] for service, (_, words) in answers.items()}


def pending(postgres: PostgresServer, services: Sequence[str] = SERVICES) -> list[str]:
    """The services whose database is behind the code."""
    answers = _run(postgres, services, ["--check"])
    for service, (code, words) in answers.items():
        if code not in {0, PENDING}:
            raise StackError(f"Could not look at the schema of {service}:\n{_tail(words)}")
    return [service for service, (code, _) in answers.items() if code == PENDING]


def _run(
    postgres: PostgresServer, services: Sequence[str], options: Sequence[str]
) -> dict[str, tuple[int, str]]:
    children = {
        service: process.spawn(
            [sys.executable, "-m", "deploy.migrate", service, *options],
            env=_environment(postgres, service),
            output=subprocess.PIPE,
        )
        for service in services
    }
    words = {service: child.communicate()[0].decode(errors="replace") for service, child in children.items()}
    return {service: (child.returncode, words[service]) for service, child in children.items()}


def _environment(postgres: PostgresServer, service: str) -> dict[str, str]:
    return {
        **os.environ,
        "HUANYING_DATABASE_URL": postgres.url(service, app_of(service)),
        "HUANYING_MIGRATION_URL": postgres.url(service, owner_of(service)),
    }


def _tail(words: str) -> str:
    return "\n".join(words.splitlines()[-15:])
