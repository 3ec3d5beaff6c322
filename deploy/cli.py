"""The `huanying` program. Commands only; what they do stands beside this file."""

import logging
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import click
import structlog
import typer

from deploy.commands import analyse, clock, dlq, keys, natskey, schemas
from deploy.commands.options import DataDir, Host, LogLevel, Port
from deploy.doctor import Finding, Patient, examine
from deploy.embedded.errors import StackError
from shared.errors import ProblemError

app = typer.Typer(
    help="环营 Huanying: closed-loop customer operations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(keys.app, name="apikey", help="API keys of systems that call the services.")
app.add_typer(natskey.app, name="natskey", help="NATS credentials of partners who push events.")
app.add_typer(dlq.app, name="dlq", help="The dead-letter queue.")
app.add_typer(clock.app, name="clock", help="Business time of a test environment.")
app.command("analyse")(analyse.analyse)
app.command("token")(keys.token)
app.command("secrets")(keys.secrets)
app.command("migrate")(schemas.migrate)
app.command("openapi")(schemas.openapi)


class Bank(StrEnum):
    synthetic = "synthetic"
    berka = "berka"


MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@app.command()
def up(
    data_dir: DataDir = Path(".huanying"),
    host: Host = "127.0.0.1",
    port: Port = 8000,
    log_level: LogLevel = "INFO",
) -> None:
    """Start everything and keep it running until Ctrl-C.

    Exit codes: 0 stopped as asked; 1 something did not start; 2 the port or the data directory is taken;
    130 interrupted while starting.
    """
    from deploy.embedded.foreground import run_until_signalled
    from deploy.embedded.stack import Stack

    stack = Stack(data_dir, host=host, port=port, log_level=log_level, terminal=sys.stdout)
    run_until_signalled(stack, lambda: print(banner(stack.base_url, data_dir), flush=True))


@app.command()
def doctor(data_dir: DataDir = Path(".huanying"), host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Say what is wrong here and what to do. Exit code 1 when something fails."""
    failed = False
    for finding in examine(Patient(data_dir.resolve(), host, port)):
        print(_line(finding), flush=True)
        failed = failed or finding.state == "fail"
    raise typer.Exit(1 if failed else 0)


@app.command()
def demo(
    data_dir: DataDir = Path(".huanying"),
    port: Port = 8000,
    bank: Annotated[
        Bank, typer.Option(help="A generated bank, or the Czech one with --data")
    ] = Bank.synthetic,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the Czech tables", exists=True, file_okay=False)
    ] = None,
    customers: Annotated[int, typer.Option(min=1000, max=1_000_000)] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bank")] = 7,
    write_bank: Annotated[
        Path | None, typer.Option(help="Only write the bank's tables to this folder, as Parquet")
    ] = None,
) -> None:
    """Load a bank through the public APIs and run the whole loop; leaves the console up in a terminal."""
    from deploy.commands.demo import run, write

    if write_bank is not None:
        raise typer.Exit(write(write_bank, bank=bank, data=data, customers=customers, seed=seed))
    if bank is Bank.berka and data is None:
        raise typer.BadParameter("the Czech bank needs --data: the folder with account.asc.gz and the others")
    raise typer.Exit(run(data_dir=data_dir, port=port, bank=bank, data=data, customers=customers, seed=seed))


def banner(base_url: str, data_dir: Path) -> str:
    from shared.auth import DEMO_USERS

    users = ", ".join(user.id for user in DEMO_USERS)
    return (
        f"\n  环营 Huanying is ready at {base_url}\n"
        f"    sign in as    {users}\n"
        f"    APIs          {base_url}/api/customer/docs (segmentation, campaign, evaluation)\n"
        f"    a token       huanying token --user strategist --data-dir {data_dir}\n"
        f"    data, logs    {data_dir.resolve()}\n"
        "    stop          Ctrl-C\n"
    )


def _line(finding: Finding) -> str:
    mark, colour = MARKS[finding.state]
    shown = click.style(mark, fg=colour) if sys.stdout.isatty() else mark
    remedy = f"\n       → {finding.remedy}" if finding.remedy else ""
    return f"{shown}  {finding.what}{remedy}"


def guarded(program: Callable[[], object]) -> int:
    """The program's exit code, with every expected error as one sentence on stderr."""
    try:
        program()
    except StackError as error:
        print(f"huanying: {error}", file=sys.stderr)
        return error.exit_code
    except ProblemError as error:
        print(f"huanying: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def main() -> None:
    quiet_logging()
    sys.exit(guarded(app))


def quiet_logging() -> None:
    """Standard output belongs to the answer. What matters of the rest goes to stderr, as a plain sentence."""
    logging.basicConfig(level=logging.WARNING, format="huanying: %(message)s", stream=sys.stderr)
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )


if __name__ == "__main__":
    main()
