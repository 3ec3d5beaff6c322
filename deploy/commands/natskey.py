"""`huanying natskey`."""

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from deploy.attach import running_stack
from deploy.broker_users import BrokerUsers
from deploy.commands.options import DataDir
from deploy.embedded.nats import write_users
from shared.topology import inbox_of, intake_subject

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the credential, e.g. card-platform")],
    source: Annotated[str, typer.Option(help="The source whose events it may push")],
    data_dir: DataDir = Path(".huanying"),
) -> None:
    """Make a credential and print its seed (NKey): it is shown this once and kept nowhere."""
    print(BrokerUsers.of(data_dir).create(name, source))
    typer.echo(f"publish to {intake_subject(source)}, inbox prefix {inbox_of(source)}", err=True)
    _apply(data_dir)


@app.command("list")
def list_users(data_dir: DataDir = Path(".huanying")) -> None:
    """Show the credentials; the seeds themselves are not known."""
    for entry in BrokerUsers.of(data_dir).entries():
        print(f"{entry.id:<28} source={entry.source:<20} {entry.nkey}")


@app.command()
def revoke(name: str, data_dir: DataDir = Path(".huanying")) -> None:
    """Refuse this credential; a connection it has open is closed."""
    BrokerUsers.of(data_dir).revoke(name)
    _apply(data_dir)
    print(f"{name} is revoked")


def _apply(data_dir: Path) -> None:
    """A running stack's server reads its users again; one that starts later reads them then."""
    state = running_stack(data_dir)
    if state is not None and "nats" in state.children:
        write_users(data_dir.resolve())
        os.kill(state.children["nats"][0], signal.SIGHUP)
