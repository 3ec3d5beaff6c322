"""`huanying dlq`: messages that a consumer gave up."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from deploy.attach import broker_settings
from deploy.commands.options import DataDir
from shared.dlq import DeadLetter, dead_letter_queue
from shared.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_letters(
    data_dir: DataDir = Path(".huanying"), limit: Annotated[int, typer.Option(min=1)] = 100
) -> None:
    """Show what is in the queue, oldest first."""
    letters = asyncio.run(_letters(broker_settings(data_dir), limit))
    for letter in letters:
        at = letter.at.isoformat(timespec="seconds") if letter.at else "-"
        print(f"{letter.number:>6}  {at}  {letter.consumer:<24} {letter.type}\n        {letter.error}")
    if not letters:
        print("the dead-letter queue is empty")


@app.command()
def show(number: int, data_dir: DataDir = Path(".huanying")) -> None:
    """Print one message with its error."""
    letter = asyncio.run(_letter(broker_settings(data_dir), number))
    print(f"consumer {letter.consumer}")
    print(f"subject  {letter.subject} (message {letter.sequence} of {letter.stream})")
    print(f"error    {letter.error}")
    try:
        print(json.dumps(json.loads(letter.payload), indent=2, ensure_ascii=False))
    except ValueError:
        print(letter.payload.decode(errors="replace"))


@app.command()
def replay(
    number: Annotated[int | None, typer.Argument(help="Of one message, as `dlq list` shows it")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything in the queue")] = False,  # noqa: FBT002  an option has its default here
    data_dir: DataDir = Path(".huanying"),
) -> None:
    """Hand messages to their consumer again, after the cause was repaired."""
    if (number is None) != all_:
        raise typer.BadParameter("give the number of a message, or --all")
    done = asyncio.run(_replay(broker_settings(data_dir), number))
    print(f"{done} message{'' if done == 1 else 's'} replayed")


async def _letters(settings: Settings, limit: int) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    async with dead_letter_queue(settings) as queue:
        async for letter in queue.letters():
            found.append(letter)
            if len(found) == limit:
                break
    return found


async def _letter(settings: Settings, number: int) -> DeadLetter:
    async with dead_letter_queue(settings) as queue:
        return await queue.letter(number)


async def _replay(settings: Settings, number: int | None) -> int:
    async with dead_letter_queue(settings) as queue:
        # Taken down first: a message that fails again comes back at the end of the queue.
        letters = [await queue.letter(number)] if number else [letter async for letter in queue.letters()]
        for letter in letters:
            await queue.replay(letter)
    return len(letters)
