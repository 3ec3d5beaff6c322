"""`huanying clock`: move business time, in a test environment."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.options import DataDir
from shared.clock import ZONE, Clock, set_offset

app = typer.Typer(no_args_is_help=True)

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@app.command()
def show(data_dir: DataDir = Path(".huanying")) -> None:
    """Print the business time."""
    print(_sentence(data_dir / "clock"))


@app.command("set")
def set_(
    to: Annotated[str, typer.Argument(help="A time (2026-12-01T09:00+08:00), or a shift (+7d, -12h)")],
    data_dir: DataDir = Path(".huanying"),
) -> None:
    """Move business time for every process of this installation; it runs on from there."""
    data_dir.mkdir(parents=True, exist_ok=True)
    file = data_dir / "clock"
    set_offset(file, parse(to, Clock(file).now()))
    print(_sentence(file))


@app.command()
def reset(data_dir: DataDir = Path(".huanying")) -> None:
    """Back to the system's time."""
    (data_dir / "clock").unlink(missing_ok=True)
    print(_sentence(data_dir / "clock"))


def parse(text: str, business_now: datetime) -> timedelta:
    """The offset from the system's time. A shift is counted from the business time of now."""
    system_now = datetime.now(UTC)  # the offset is between the two clocks
    shift = re.fullmatch(r"([+-]\d+(?:\.\d+)?)([dhms])", text)
    if shift:
        moved = business_now + timedelta(**{_UNITS[shift[2]]: float(shift[1])})
        return moved - system_now
    try:
        target = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("give a time like 2026-12-01T09:00+08:00, or a shift like +7d") from error
    return (target if target.tzinfo else target.replace(tzinfo=ZONE)) - system_now


def _sentence(file: Path) -> str:
    clock = Clock(file)
    moved = clock.now() - datetime.now(UTC)
    shown = clock.now().astimezone(ZONE).isoformat(timespec="seconds")
    if abs(moved) < timedelta(seconds=1):
        return f"{shown} (the system's time)"
    return f"{shown} (shifted by {timedelta(seconds=round(moved.total_seconds()))})"
