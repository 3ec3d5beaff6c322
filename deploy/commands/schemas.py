"""`huanying migrate` and `huanying openapi`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from deploy.attach import database
from deploy.commands.options import DataDir
from deploy.embedded import migrations
from shared.settings import SERVICES

Check = Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 if something would")]


def migrate(
    service: Annotated[str | None, typer.Argument(help="One service; all of them if left out")] = None,
    check: Check = False,  # noqa: FBT002  an option has its default here
    data_dir: DataDir = Path(".huanying"),
) -> None:
    """Bring database schemas to the newest revision.

    With HUANYING_MIGRATION_URL in the environment (compose), of that database and the one service; otherwise
    of the embedded installation, running or not.
    """
    if service is not None and service not in SERVICES:
        raise typer.BadParameter(f"services are: {', '.join(SERVICES)}")
    if os.environ.get("HUANYING_MIGRATION_URL"):
        if service is None:
            raise typer.BadParameter("HUANYING_MIGRATION_URL is one service's database: name the service")
        behind = _migrate_told(service, check=check)
    else:
        behind = _migrate_embedded(data_dir, (service,) if service else SERVICES, check=check)
    raise typer.Exit(1 if behind else 0)


def _migrate_told(service: str, *, check: bool) -> bool:
    from deploy.migrate import pending, upgrade

    if not check:
        print(f"{service}: at {upgrade(service)}")
        return False
    behind = pending(service)
    print(f"{service}: {'behind the code' if behind else 'up to date'}")
    return behind


def _migrate_embedded(data_dir: Path, services: tuple[str, ...], *, check: bool) -> bool:
    with database(data_dir) as server:
        if check:
            behind = migrations.pending(server, services)
            for service in services:
                print(f"{service}: {'behind the code' if service in behind else 'up to date'}")
            return bool(behind)
        for service, revision in migrations.upgrade(server, services).items():
            print(f"{service}: at {revision}")
    return False


def openapi(
    directory: Annotated[Path, typer.Argument(help="Where the documents are kept")] = Path("docs/api"),
    check: Check = False,  # noqa: FBT002  an option has its default here
) -> None:
    """Write the OpenAPI documents of the services and the AsyncAPI document of their events."""
    from shared.documents import documents, write

    if not check:
        changed = write(directory)
        print("\n".join(str(directory / name) for name in changed) or "the documents were up to date")
        return
    behind = [name for name, content in documents().items() if _content(directory / name) != content]
    for name in behind:
        print(f"{directory / name} does not match the code: run huanying openapi and commit it")
    raise typer.Exit(1 if behind else 0)


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None
