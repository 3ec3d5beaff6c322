"""The parts of the supervisor, with small programs instead of services."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.embedded import output, process
from deploy.embedded.errors import TakenError
from deploy.embedded.lock import DirectoryLock
from deploy.embedded.output import Output, readable
from deploy.embedded.state import StackState, stop_leftovers
from deploy.embedded.supervisor import HOPELESS_AFTER, Supervisor
from tests.deploy.conftest import gone


class Mortal:
    """Dies at once, `deaths` times; then lives."""

    def __init__(self, deaths: int) -> None:
        self.deaths = deaths
        self.starts = 0

    @property
    def alive(self) -> bool:
        return self.starts > self.deaths

    @property
    def pid(self) -> int | None:
        return 1 if self.alive else None

    def start(self) -> None:
        self.starts += 1


def wait_for(check: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_restarts_until_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.embedded.supervisor.DELAYS", (0.01, 0.02))
    member, said, changes = Mortal(deaths=3), [], []
    supervisor = Supervisor(
        {"it": member}, lambda text, _: said.append(text), changed=lambda: changes.append(1)
    )
    supervisor.start()
    wait_for(lambda: member.alive)
    supervisor.stop()
    assert member.starts == 4
    assert said[0].startswith("it has died")
    assert said[-1] == "it is running again (pid 1)"
    assert changes


def test_hopeless_after_a_few_deaths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.embedded.supervisor.DELAYS", (0.01,))
    supervisor = Supervisor({"it": Mortal(deaths=99)}, lambda *_: None, changed=lambda: None)
    assert not supervisor.hopeless("it")
    supervisor.start()
    wait_for(lambda: supervisor.hopeless("it"))
    supervisor.stop()
    assert supervisor._records["it"].deaths >= HOPELESS_AFTER


def test_output_goes_to_file_and_terminal(tmp_path: Path) -> None:
    terminal = io.StringIO()
    sink = Output("customer", tmp_path, terminal=terminal)
    for _ in range(2):  # the pipe outlives a restart
        line = json.dumps({"event": "hello", "level": "info", "count": 1})
        child = process.spawn([sys.executable, "-c", f"print('{line}')"], output=sink.descriptor)
        child.wait()
    sink.close()
    assert len((tmp_path / "customer.log").read_text().splitlines()) == 2
    assert terminal.getvalue() == "customer    | hello count=1\n" * 2


def test_a_lost_terminal_and_a_full_disk_do_not_hold_the_child_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: output.RotatedFile, _line: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.RotatedFile, "write", full)
    terminal = io.StringIO()
    terminal.close()
    sink = Output("customer", tmp_path, terminal=terminal)
    child = process.spawn(
        [sys.executable, "-c", "print('x' * 100 + chr(10), end='') or print('y\\n' * 200_000)"],
        output=sink.descriptor,
    )
    assert child.wait(20) == 0
    sink.close()


def test_a_failing_callback_does_not_end_the_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.embedded.supervisor.DELAYS", (0.01,))

    def full() -> None:
        raise OSError(28, "No space left on device")

    first, second = Mortal(deaths=0), Mortal(deaths=2)
    supervisor = Supervisor({"first": first, "second": second}, lambda *_: None, changed=full)
    supervisor.start()
    wait_for(lambda: first.alive and second.alive)
    supervisor.stop()


def test_files_are_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_BYTES", 100)
    file = output.RotatedFile(tmp_path / "it.log")
    for number in range(40):
        file.write(f"line {number:04d} of many\n".encode())
    file.close()
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["it.log", "it.log.1", "it.log.2", "it.log.3"]
    assert file.tail(1) == ["line 0039 of many"] or file.tail(1) == []


@pytest.mark.parametrize(
    ("name", "line", "shown"),
    [
        ("nats", "[1] [INF] Server is ready", None),
        ("nats", "[1] [ERR] disk full", "[1] [ERR] disk full"),
        ("postgres", "2026 LOG:  checkpoint", None),
        ("postgres", "2026 FATAL:  no", "2026 FATAL:  no"),
        ("campaign", "Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("campaign", '{"level":"debug","event":"x"}', None),
        ("campaign", '{"level":"error","event":"x","service":"campaign","a":[1]}', "ERROR x a=[1]"),
        ("campaign", "{broken", "{broken"),
        ("campaign", "", None),
    ],
)
def test_what_the_terminal_shows(name: str, line: str, shown: str | None) -> None:
    assert readable(name, line, 20) == shown


def test_leftovers_are_stopped_but_strangers_are_not(tmp_path: Path) -> None:
    leftover = process.spawn(["/bin/sleep", "600"], output=subprocess.DEVNULL)
    stranger = process.spawn(["/bin/sleep", "600"], output=subprocess.DEVNULL)
    try:
        state = StackState.of(
            "http://x", {}, "nats://x", {"customer": leftover.pid, "campaign": stranger.pid}
        )
        pid, born = state.children["campaign"]
        # The pid was given to another program since.
        changed = {**state.children, "campaign": (pid, born - 100)}
        StackState(state.pid, state.base_url, {}, state.nats_address, changed).write(tmp_path)
        stop_leftovers(tmp_path)
        assert gone(leftover.pid, within=1)
        assert stranger.poll() is None
        assert StackState.read(tmp_path) is None
    finally:
        process.stop(leftover)
        process.stop(stranger)


def test_a_stubborn_child_is_killed() -> None:
    child = process.spawn(
        [
            sys.executable,
            "-c",
            "import signal, time; signal.signal(15, 1); print(flush=True); time.sleep(60)",
        ],
        output=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert not process.stop(child, grace=0.2)
    child.stdout.close()


def test_lock_names_its_holder(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path / "it.lock", "It"), DirectoryLock(tmp_path / "it.lock", "It")
    with first:
        assert first.mine
        assert second.held()
        with pytest.raises(TakenError, match=f"process {os.getpid()}"):
            second.acquire()
    assert not second.held()
    with second:
        assert second.holder() == os.getpid()
