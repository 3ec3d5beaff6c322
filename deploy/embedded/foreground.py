"""Running a stack in a terminal."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from deploy.embedded.stack import Stack

# The last one: the terminal was closed.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_signalled(stack: Stack, announce: Callable[[], None]) -> None:
    """Start, announce, wait for a signal to stop, stop.

    A signal during the start aborts it (KeyboardInterrupt, all cleaned up); one during the stop hurries it.
    """
    with stopping_on_signal(stack) as asked:
        stack.start()
        asked.allow()
        announce()
        asked.wait()


class Asked:
    """Whether the operator has asked for the end."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._waits = False

    def allow(self) -> None:
        """From now on somebody waits for the question."""
        self._waits = True

    def wait(self) -> None:
        # A timeout, because a bare wait would keep Python from running the signal handler.
        while not self._event.wait(0.5):
            pass

    def ask(self) -> bool:
        """Whether this was the first time."""
        first = not self._event.is_set()
        self._event.set()
        return first

    @property
    def waits(self) -> bool:
        return self._waits


@contextlib.contextmanager
def stopping_on_signal(stack: Stack) -> Iterator[Asked]:
    """The block's signals are questions to stop; at its end the stack is stopped, whatever happened."""
    asked = Asked()

    def on_signal(number: int, _frame: object) -> None:
        if not asked.ask():
            stack.hurry()
            return
        again = " (Ctrl-C again to force)" if number == signal.SIGINT else ""
        print(f"\nStopping{again}…", file=sys.stderr, flush=True)
        if not asked.waits:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield asked
    finally:
        stack.stop()
        for number, former in before.items():
            signal.signal(number, former)
