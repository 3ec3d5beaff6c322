"""What the viewer sees: bars on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

Advance = Callable[[int], None]
LOG_WIDTH = 120
_LINE_EVERY_SECONDS = 10.0


class Narrator:
    def __init__(self, console: Console | None = None) -> None:
        # A log has no width of its own, and Rich would take 80.
        self.console = console or Console(highlight=False, width=None if sys.stdout.isatty() else LOG_WIDTH)

    def chapter(self, text: str) -> None:
        self.console.print(f"\n[bold]{text}[/bold]")

    def say(self, text: str) -> None:
        self.console.print(f"  {text}")

    def show(self, table: Table) -> None:
        self.console.print(table)

    @contextmanager
    def counting(self, text: str, total: int) -> Iterator[Advance]:
        """Yields a function that is told how many more are done."""
        begun = time.monotonic()
        done = 0
        with self._shown(text, total) as show:

            def advance(count: int) -> None:
                nonlocal done
                done += count
                show(done)

            yield advance
        seconds = time.monotonic() - begun
        rate = f", {done / seconds:,.0f} a second" if seconds > 1 and done > 100 else ""
        self.say(f"{text}: {done:,} in {seconds:.1f} s{rate}")

    @contextmanager
    def _shown(self, text: str, total: int) -> Iterator[Callable[[int], None]]:
        if self.console.is_terminal:
            columns = (
                TextColumn("  {task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            with Progress(*columns, console=self.console, transient=True) as progress:
                task = progress.add_task(text, total=total)
                yield lambda done: progress.update(task, completed=done)
            return
        last = time.monotonic()

        def line(done: int) -> None:
            nonlocal last
            if time.monotonic() - last > _LINE_EVERY_SECONDS:
                last = time.monotonic()
                self.say(f"{text}: {done:,} of {total:,} …")

        yield line
