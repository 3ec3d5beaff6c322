"""What a running stack tells other programs of the same installation (`data_dir/stack.json`)."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deploy.embedded import process
from deploy.embedded.keyring import write_secret

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StackState:
    pid: int
    base_url: str
    services: Mapping[str, str]
    nats_address: str
    children: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """Name → pid and the time it was born: together they name one process for ever."""

    @classmethod
    def of(
        cls, base_url: str, services: Mapping[str, str], nats_address: str, pids: Mapping[str, int | None]
    ) -> "StackState":
        born = {name: (pid, created) for name, pid in pids.items() if pid and (created := _created(pid))}
        return cls(os.getpid(), base_url, services, nats_address, born)

    @classmethod
    def read(cls, data_dir: Path) -> "StackState | None":
        try:
            stored: dict[str, Any] = json.loads(_file(data_dir).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return cls(**stored)

    def write(self, data_dir: Path) -> None:
        write_secret(_file(data_dir), json.dumps(asdict(self), indent=1))

    @staticmethod
    def remove(data_dir: Path) -> None:
        _file(data_dir).unlink(missing_ok=True)


def stop_leftovers(data_dir: Path) -> None:
    """Services a killed predecessor left running. Linux takes them with it; elsewhere they live on."""
    state = StackState.read(data_dir)
    if state is None:
        return
    log.warning("The predecessor (process %d) did not stop properly; recovering", state.pid)
    for name, (pid, created) in state.children.items():
        if name not in {"postgres", "nats"} and _created(pid) == created:
            log.warning("%s (process %d) outlived it and is stopped", name, pid)
            process.stop_stranger(pid)
    StackState.remove(data_dir)


def _file(data_dir: Path) -> Path:
    return data_dir / "stack.json"


def _created(pid: int) -> float | None:
    try:
        found = psutil.Process(pid)
        return None if found.status() == psutil.STATUS_ZOMBIE else found.create_time()
    except psutil.NoSuchProcess:
        return None
