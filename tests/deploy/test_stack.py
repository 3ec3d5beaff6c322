"""The whole stack, as its operator meets it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.embedded import ready
from deploy.embedded.errors import StackError, TakenError
from deploy.embedded.ports import free_port
from deploy.embedded.stack import NAMES, Stack
from deploy.embedded.state import StackState
from tests.deploy.conftest import ROOT, gone

START_SECONDS = 120

pytestmark = pytest.mark.xdist_group("stack")


class Program:
    """`huanying …` as a process of its own, its output kept."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def says(self, words: str, within: float = START_SECONDS) -> None:
        deadline = time.monotonic() + within
        while words not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)

    def ends(self, within: float = 60) -> int:
        code = self.process.wait(within)
        self._reader.join(5)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))
        self.process.stdout.close()


Run = Callable[..., Program]


@pytest.fixture
def run() -> Iterator[Run]:
    programs: list[Program] = []

    def start(*arguments: str | Path) -> Program:
        programs.append(Program(*arguments))
        return programs[-1]

    yield start
    for program in programs:
        program.process.kill()
        program.ends()


def children_of(data_dir: Path) -> dict[str, int]:
    state = StackState.read(data_dir)
    assert state is not None
    return {name: pid for name, (pid, _) in state.children.items()}


def get(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return int(answer.status)


def test_up_serves_and_stops_cleanly(tmp_path: Path, run: Run) -> None:
    data_dir, port = tmp_path / "data", free_port()
    program = run("up", "--port", str(port), "--data-dir", data_dir)
    program.says("is ready at")
    base = f"http://127.0.0.1:{port}"
    assert get(f"{base}/readyz") == 200
    assert get(base) == 200
    for service in ("customer", "segmentation", "campaign", "evaluation"):
        assert get(f"{base}/api/{service}/readyz") == 200
    pids = children_of(data_dir)
    assert set(pids) == set(NAMES)

    second = run("up", "--port", str(free_port()), "--data-dir", data_dir)
    assert second.ends() == 2
    assert f"in use by process {program.process.pid}" in second.text
    third = run("up", "--port", str(port), "--data-dir", tmp_path / "other")
    assert third.ends() == 2
    assert re.search(rf"Port {port} .* used by process {pids['console']} .*--port {port + 1}", third.text)
    doctor = run("doctor", "--data-dir", data_dir)
    assert doctor.ends() == 0, doctor.text
    assert "FAIL" not in doctor.text
    assert "all schemas are up to date" in doctor.text

    socket_dir = Path((data_dir / "pg.socket").read_text())
    program.process.send_signal(signal.SIGTERM)
    assert program.ends() == 0, program.text
    assert all(gone(pid, within=1) for pid in pids.values())
    assert not socket_dir.exists()
    assert StackState.read(data_dir) is None
    assert "was killed" not in program.text
    assert "Traceback" not in program.text


@pytest.mark.slow
def test_killed_supervisor_leaves_nothing_and_up_works_again(tmp_path: Path, run: Run) -> None:
    port = free_port()
    first = run("up", "--port", str(port), "--data-dir", tmp_path)
    first.says("is ready at")
    pids = children_of(tmp_path)
    first.process.kill()
    assert {name for name, pid in pids.items() if not gone(pid)} == set()
    doctor = run("doctor", "--data-dir", tmp_path, "--port", str(port))
    assert doctor.ends() == 0, doctor.text
    assert "did not stop properly" in doctor.text
    again = run("up", "--port", str(port), "--data-dir", tmp_path)
    again.says("is ready at")
    again.process.send_signal(signal.SIGINT)
    assert again.ends() == 0, again.text


def test_interrupt_while_starting(tmp_path: Path, run: Run) -> None:
    program = run("up", "--port", str(free_port()), "--data-dir", tmp_path)
    program.says("nats ready in")
    program.process.send_signal(signal.SIGINT)
    assert program.ends() == 130, program.text
    assert not (tmp_path / "pg" / "postmaster.pid").exists()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), port=0) as running:
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_killed_comes_back(stack: Stack, name: str) -> None:
    others = {other: stack.pid(other) for other in NAMES if other != name}
    killed = stack.kill(name)
    deadline = time.monotonic() + 60
    while stack.pid(name) in {None, killed}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for service in ("customer", "segmentation", "campaign", "evaluation", "console"):
        stack.wait_ready(service)
    assert {other: stack.pid(other) for other in others} == others
    assert children_of(stack.data_dir)[name] == stack.pid(name)


def test_tokens_are_accepted(stack: Stack) -> None:
    request = urllib.request.Request(  # noqa: S310  our own loopback address
        f"{stack.base_url}/api/customer/v1/orgs",
        headers={"Authorization": f"Bearer {stack.token('strategist')}"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        assert "items" in json.load(answer)
    with pytest.raises(StackError, match="no demo user"):
        stack.token("nobody")


def test_secrets_stay_with_their_owner(stack: Stack) -> None:
    assert stack.keyring.too_open() == []
    environment = Path(f"/proc/{stack.pid('customer')}/environ")
    if environment.exists():
        told = environment.read_bytes()
        assert stack.nats.password_file.read_bytes() not in told
        assert stack.keyring.pii_key.read_bytes() not in told


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(TakenError, match=f"Port {port} .*process {os.getpid()} "):
            Stack(tmp_path, port=port).start()
    assert not (tmp_path / "pg").exists()


def test_who_answers_badly_is_quoted() -> None:
    answer = ready.ask("http://127.0.0.1:1")
    assert not answer.ready
    assert "does not answer" in answer.words
