"""`huanying token` and `huanying apikey`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from deploy.attach import keyring_of
from deploy.commands.options import DataDir
from deploy.compose_secrets import write_all
from deploy.embedded.tokens import demo_token
from shared.auth import Role

app = typer.Typer(no_args_is_help=True)

Roles = Annotated[str, typer.Option(help="One or more roles, separated by commas")]


def token(
    user: Annotated[str, typer.Option(help="A demo user, or a staff code with --roles and --org")],
    roles: Annotated[str | None, typer.Option(help="Roles of a staff member, e.g. manager")] = None,
    org: Annotated[str | None, typer.Option(help="Their organisation, e.g. hq.sh.pudong")] = None,
    minutes: Annotated[float, typer.Option(min=1, max=7 * 24 * 60)] = 480,
    data_dir: DataDir = Path(".huanying"),
) -> None:
    """Print a token of the local issuer, for `Authorization: Bearer …`."""
    keyring = keyring_of(data_dir)
    if roles is None and org is None:
        print(demo_token(keyring, user, minutes=minutes))
        return
    if roles is None or org is None:
        raise typer.BadParameter("a member of staff needs both --roles and --org")
    print(keyring.issuer.token(user, roles=parse_roles(roles), org=org, staff=user, minutes=minutes))


def secrets(
    directory: Annotated[Path, typer.Argument(help="Where docker-compose.yml looks for them")] = Path(
        "deploy/secrets"
    ),
) -> None:
    """Make the secret files of docker-compose.yml that are missing; run again after `huanying apikey`."""
    written = write_all(directory)
    print("\n".join(str(directory / name) for name in written) or "nothing was missing")
    if "tls_certificate" in written:
        print("The certificate is a self-signed one for localhost: put the bank's in its place.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the system, e.g. card-platform")],
    source: Annotated[str | None, typer.Option(help="The source whose events it may write")] = None,
    roles: Roles = Role.integrator.value,
    org: Annotated[str, typer.Option(help="Organisation it is confined to")] = "hq",
    days: Annotated[
        float | None, typer.Option(min=0.01, help="Days it is valid; for ever if left out")
    ] = None,
    data_dir: DataDir = Path(".huanying"),
) -> None:
    """Make a key and print it: it is shown this once and kept only as a hash."""
    keyring = keyring_of(data_dir)
    keyring.ensure()
    expires = None if days is None else time.time() + days * 86_400
    print(keyring.create_key(name, roles=parse_roles(roles), org=org, source=source, expires=expires))


@app.command("list")
def list_keys(data_dir: DataDir = Path(".huanying")) -> None:
    """Show the registered keys; the keys themselves are not known."""
    for entry in keyring_of(data_dir).entries():
        expired = entry.expires is not None and entry.expires < time.time()
        print(
            f"{entry.id:<28} {','.join(entry.roles):<24} {entry.org:<20} source={entry.source or '-'}"
            f"{'  EXPIRED' if expired else ''}"
        )


@app.command()
def revoke(name: str, data_dir: DataDir = Path(".huanying")) -> None:
    """Refuse this key from the next request on."""
    keyring_of(data_dir).revoke_key(name)
    print(f"{name} is revoked")


def parse_roles(text: str) -> list[Role]:
    try:
        return [Role(part.strip()) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"roles are: {', '.join(Role)}") from error
