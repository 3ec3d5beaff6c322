"""Child processes that never outlive their supervisor."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

LAUNCH = Path(__file__).with_name("launch.py")

# Linux ties a child to the *thread* that forked it, so every child is forked by this one, which lives as
# long as the process does.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


@dataclass(frozen=True)
class Account:
    """The system account a child runs as, when the supervisor is root and the program refuses to be."""

    uid: int
    gid: int
    reach_everywhere: bool
    """Keep the right to enter directories closed to others (the checkout may stand below /root)."""


def spawn(
    command: Sequence[str | Path],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    account: Account | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that a Ctrl-C in the terminal reaches the supervisor alone
    and the order of stopping stays ours. `output` takes stdout and stderr (a file descriptor or a
    `subprocess` constant). The child gets `death_signal` when this process dies.
    """
    order = {
        "parent": os.getpid(),
        "signal": int(death_signal),
        "uid": account.uid if account else None,
        "gid": account.gid if account else None,
        "reach_everywhere": account.reach_everywhere if account else False,
    }
    argv = [sys.executable, "-I", "-S", str(LAUNCH), json.dumps(order), *map(str, command)]

    def fork() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            start_new_session=True,
        )

    return _forker.submit(fork).result()


def stop(
    process: subprocess.Popen[bytes],
    *,
    ask: signal.Signals = signal.SIGTERM,
    grace: float = 20.0,
) -> bool:
    """Ask the process to stop, wait `grace` seconds, then kill it. True when it went by itself."""
    if process.poll() is not None:
        return True
    process.send_signal(ask)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def stop_stranger(pid: int, *, ask: signal.Signals = signal.SIGTERM, grace: float = 20.0) -> None:
    """`stop` for a process that is not our child: a predecessor's leftover."""
    try:
        process = psutil.Process(pid)
        process.send_signal(ask)
        try:
            process.wait(grace)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(10)
    except psutil.NoSuchProcess:
        return


def runs(pid: int, program: str, mention: str) -> bool:
    """Whether `pid` is a live `program` whose command line mentions `mention`: a pid read from a file may
    since have been given to something else.
    """
    try:
        process = psutil.Process(pid)
        command = process.cmdline()
        if process.status() == psutil.STATUS_ZOMBIE or not command:
            return False
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return Path(command[0]).name.startswith(program) and any(mention in part for part in command)
