import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.embedded.nats import NatsServer
from deploy.embedded.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[2]

Owner = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def owner() -> Iterator[Owner]:
    """Run a Python program that owns servers, so that a test can kill it; its first output line is awaited."""
    started: list[subprocess.Popen[str]] = []

    def run(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def kill(server: PostgresServer | NatsServer) -> None:
    """SIGKILL, and wait until the server knows."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while server.alive:
        time.sleep(0.01)


def gone(pid: int, within: float = 20.0) -> bool:
    """Whether the process ends by itself."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False
