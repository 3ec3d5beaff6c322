"""`huanying doctor`: what is wrong with this installation, and what to do about it."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import psutil

from deploy.attach import broker_settings, database, keyring_of, running_stack
from deploy.embedded import nats, postgres, ready
from deploy.embedded.errors import StackError, TakenError
from deploy.embedded.lock import DirectoryLock
from deploy.embedded.migrations import pending
from deploy.embedded.ports import refuse_if_busy
from deploy.embedded.stack import stack_lock
from deploy.embedded.state import StackState
from shared.dlq import dead_letter_queue

GIB = 1024**3
FAIL_BELOW = GIB // 2
WARN_BELOW = 4 * GIB


@dataclass(frozen=True)
class Finding:
    state: Literal["ok", "warn", "fail"]
    what: str
    remedy: str = ""


Findings = Iterator[Finding]


@dataclass(frozen=True)
class Patient:
    data_dir: Path
    host: str
    port: int

    @property
    def stack(self) -> StackState | None:
        return running_stack(self.data_dir)


def examine(patient: Patient) -> Findings:
    """Every finding, in the order in which the stack needs the things examined."""
    for check in CHECKS:
        try:
            yield from check(patient)
        except Exception as error:  # noqa: BLE001  a broken check is a finding, not the end of the examination
            yield Finding("fail", f"{check.__name__.strip('_')}: {type(error).__name__}: {error}")


def _python(_: Patient) -> Findings:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok", f"Python {version}")


def _binaries(_: Patient) -> Findings:
    locate: dict[str, Callable[[], Path]] = {
        "PostgreSQL": lambda: postgres.programs() / "postgres",
        "nats-server": nats.program,
    }
    for name, find in locate.items():
        try:
            answer = subprocess.run(
                [find(), "--version"], capture_output=True, text=True, check=True, timeout=20
            )
            yield Finding("ok", answer.stdout.strip())
        except StackError as error:
            yield Finding("fail", name, str(error))
        except (OSError, subprocess.SubprocessError) as error:
            yield Finding("fail", f"{name} does not run: {error}", "reinstall the wheels: make setup")


def _disk(patient: Patient) -> Findings:
    place = next(p for p in (patient.data_dir, *patient.data_dir.parents) if p.exists())
    free = shutil.disk_usage(place).free
    what = f"{free / GIB:.1f} GiB free at {place}"
    if free < FAIL_BELOW:
        yield Finding("fail", what, "free some space, or choose another --data-dir")
    elif free < WARN_BELOW:
        yield Finding("warn", what, "a demonstration needs about 4 GiB")
    else:
        yield Finding("ok", what)
    if not os.access(place, os.W_OK):
        yield Finding("fail", f"{place} cannot be written", "change its owner, or choose another --data-dir")


def _port(patient: Patient) -> Findings:
    stack = patient.stack
    if stack is not None:
        yield Finding("ok", f"a stack runs at {stack.base_url} (process {stack.pid})")
        return
    try:
        refuse_if_busy(patient.host, patient.port)
        yield Finding("ok", f"port {patient.port} is free")
    except TakenError as error:
        yield Finding("fail", f"port {patient.port}", str(error))
    except StackError as error:
        yield Finding("fail", f"port {patient.port}", str(error))


def _directory(patient: Patient) -> Findings:
    if not patient.data_dir.exists():
        yield Finding("ok", f"{patient.data_dir} does not exist yet: huanying up makes it")
        return
    cluster = patient.data_dir / "pg"
    if (patient.data_dir / "pg.tmp").exists():
        yield Finding("warn", "initialising the database was interrupted", "huanying up starts it afresh")
    if cluster.exists() and any(cluster.iterdir()) and not (cluster / "PG_VERSION").exists():
        yield Finding(
            "fail", f"{cluster} is no PostgreSQL cluster", "move it away, or choose another --data-dir"
        )
    elif (cluster / "PG_VERSION").exists():
        yield from _version(cluster)
    if patient.stack is None and StackState.read(patient.data_dir) is not None:
        yield Finding("warn", "the last stack here did not stop properly", "huanying up recovers by itself")


def _version(cluster: Path) -> Findings:
    version = (cluster / "PG_VERSION").read_text().strip()
    if version == str(postgres.MAJOR):
        yield Finding("ok", f"database cluster of PostgreSQL {version} in {cluster}")
    else:
        remedy = f"dump it with PostgreSQL {version} and load it anew, or choose another --data-dir"
        yield Finding("fail", f"{cluster} belongs to PostgreSQL {version}, not {postgres.MAJOR}", remedy)


def _locks(patient: Patient) -> Findings:
    if patient.stack is not None:
        return
    for name in ("pg.lock", "nats.lock"):
        lock = DirectoryLock(patient.data_dir / name, name)
        if lock.held():
            pid = lock.holder()
            yield Finding("fail", f"{name} is held by process {pid}", f"end that process: kill {pid}")
    lock = stack_lock(patient.data_dir)
    if lock.held():
        yield Finding("warn", f"process {lock.holder()} is starting or stopping a stack", "wait for it")
    elif (pid := lock.holder()) is not None:
        alive = "is another program by now" if psutil.pid_exists(pid) else "is gone"
        yield Finding("ok", f"stale lock of process {pid}, which {alive}: it holds nobody up")


def _secrets(patient: Patient) -> Findings:
    keyring = keyring_of(patient.data_dir)
    if not keyring.directory.exists():
        yield Finding("ok", "no secrets yet: huanying up makes them")
        return
    for path in keyring.too_open():
        yield Finding("fail", f"{path} can be read by others", f"chmod go-rwx {path}")
    if keyring.issuer_key.exists() != keyring.jwks.exists():
        yield Finding("warn", "the issuer's key pair is not complete", "huanying up makes a new one")
    yield Finding("ok", f"{len(keyring.entries())} API keys registered")


def _services(patient: Patient) -> Findings:
    stack = patient.stack
    if stack is None:
        yield Finding("warn", "no stack is running here", "start it: huanying up")
        return
    for name, url in {**stack.services, "console": stack.base_url}.items():
        answer = ready.ask(url, timeout=10)
        if answer.ready:
            yield Finding("ok", f"{name} is ready")
        else:
            log_file = patient.data_dir / "logs" / f"{name}.log"
            yield Finding("fail", f"{name} is not ready: {answer.words}", f"its log: {log_file}")


def _migrations(patient: Patient) -> Findings:
    if patient.stack is None:
        return
    with database(patient.data_dir) as server:
        behind = pending(server)
    for service in behind:
        yield Finding("fail", f"the schema of {service} is behind the code", f"huanying migrate {service}")
    if not behind:
        yield Finding("ok", "all schemas are up to date")


def _clock(patient: Patient) -> Findings:
    file = patient.data_dir / "clock"
    offset = float(file.read_text("ascii") or 0) if file.exists() else 0.0
    if offset:
        shift = timedelta(seconds=round(offset))
        yield Finding("warn", f"business time is shifted by {shift}", "huanying clock reset")
    else:
        yield Finding("ok", "business time is the system's")


def _dead_letters(patient: Patient) -> Findings:
    if patient.stack is None:
        return
    dead = asyncio.run(_count_dead(patient.data_dir))
    if dead:
        yield Finding("warn", f"{dead} messages in the dead-letter queue", "huanying dlq list")
    else:
        yield Finding("ok", "the dead-letter queue is empty")


async def _count_dead(data_dir: Path) -> int:
    async with dead_letter_queue(broker_settings(data_dir)) as queue:
        return await queue.count()


CHECKS = (
    _python,
    _binaries,
    _disk,
    _port,
    _directory,
    _locks,
    _secrets,
    _services,
    _migrations,
    _clock,
    _dead_letters,
)
