"""SIGKILL in the middle of the loop: it completes, nothing is lost, nobody is contacted twice."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from deploy.demo.story import run_demo
from deploy.embedded.stack import Stack
from tests.e2e.books import audited, caught_up, read_stores, settled_books
from tests.support import wait_until

STRIKES = 4
VICTIMS = ("customer", "segmentation", "campaign", "evaluation", "nats", "postgres")
CUSTOMERS = 1_000


@contextmanager
def _killing(stack: Stack, victims: tuple[str, ...], seed: int) -> Iterator[list[str]]:
    """Kill one victim after another at random moments while the block runs; yields who and when."""
    stop, moments, dice = threading.Event(), [], random.Random(seed)
    began = time.monotonic()

    def strike() -> None:
        while len(moments) < STRIKES * len(victims) and not stop.wait(dice.uniform(1.0, 6.0)):
            victim = victims[len(moments) % len(victims)]
            if stack.pid(victim) is not None:
                stack.kill(victim)
                moments.append(f"{victim} at {time.monotonic() - began:.1f} s")
                stop.wait(4)  # let it come back: a victim that never lives proves nothing

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield moments
    finally:
        stop.set()
        thread.join()


@pytest.mark.faults
def test_the_loop_survives_kills_of_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The short form: all of them in turn, during one demonstration."""
    victims = tuple(random.Random(11).sample(VICTIMS, len(VICTIMS)))
    _survive(tmp_path / "stack", victims, 1, capsys)


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("victim", VICTIMS)
def test_the_loop_survives_kills(
    tmp_path: Path, victim: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    for round_ in range(request.config.getoption("--faults-rounds")):
        _survive(tmp_path / f"stack{round_}", (victim,), round_, capsys)


def _survive(data_dir: Path, victims: tuple[str, ...], seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    with Stack(data_dir, port=0) as stack:
        with _killing(stack, victims, seed) as moments:
            result = run_demo(stack.base_url, data_dir, customers=CUSTOMERS, seed=seed + 1)
        stack.wait_ready("console")
        for service in ("segmentation", "evaluation"):
            wait_until(partial(caught_up, stack, service), what=f"{service}'s store")
        books = settled_books(stack)
        differences = audited(stack)
    stores = read_stores(data_dir)
    with capsys.disabled():
        print(f"\nkilled: {', '.join(moments)}: {books} {stores}")
    assert moments, "the demonstration ended before the first kill"
    assert books.problems(stores) == []
    assert differences == 0
    assert result["make_contacts"]["balanced"]
