"""What the children say: everything into rotated files, the readable part onto the terminal."""

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import BinaryIO, TextIO

MAX_BYTES = 20 * 1024**2
KEPT = 3

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
COLOURS = {"customer": 36, "segmentation": 35, "campaign": 33, "evaluation": 32, "console": 34}
SERVERS = {"postgres": (" WARNING:", " ERROR:", " FATAL:", " PANIC:"), "nats": ("[WRN]", "[ERR]", "[FTL]")}
# Said at every start, of a password that never leaves this machine.
EXPECTED = ("Plaintext passwords detected",)
BORING = frozenset({"timestamp", "level", "event", "logger", "service", "trace_id"})
NAME_WIDTH = 12


class Output:
    """A pipe for one child over all its restarts; a thread copies it to `<name>.log` and the terminal."""

    def __init__(
        self, name: str, directory: Path, *, level: str = "INFO", terminal: TextIO | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._name = name
        self._file = RotatedFile(directory / f"{name}.log")
        self._level = LEVELS.get(level.upper(), 20)
        self._terminal = terminal
        reader, self.descriptor = os.pipe()
        self._pipe: BinaryIO = os.fdopen(reader, "rb")
        self._thread = threading.Thread(target=self._copy, name=f"output-{name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """After the child has ended: take what is still in the pipe, then close."""
        os.close(self.descriptor)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._pipe.close()
            self._file.close()

    def last_lines(self, count: int = 12) -> list[str]:
        return self._file.tail(count)

    def _copy(self) -> None:
        for line in iter(self._pipe.readline, b""):
            # Whatever happens, go on reading: a child whose pipe is full stands still.
            with contextlib.suppress(OSError):
                self._file.write(line)
            shown = readable(self._name, line.decode(errors="replace").rstrip(), self._level)
            if shown is not None:
                show(self._name, shown, self._terminal)


class RotatedFile:
    """`name.log`, at 20 MB moved to `name.log.1` and so on; three old ones are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab")
        path.chmod(0o600)

    def write(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        if self._file.tell() > MAX_BYTES:
            self._rotate()

    def tail(self, count: int) -> list[str]:
        with self._path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return file.read().decode(errors="replace").splitlines()[-count:]

    def close(self) -> None:
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(KEPT, 0, -1):
            older = self._old(number - 1)
            if older.exists():
                older.replace(self._old(number))
        self._file = self._path.open("ab")
        self._path.chmod(0o600)

    def _old(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def readable(name: str, line: str, level: int) -> str | None:
    """The line for the terminal: JSON shortened, the servers' chatter left out; None to hide it."""
    if name in SERVERS:
        remarkable = any(mark in line for mark in SERVERS[name]) and not any(e in line for e in EXPECTED)
        return line if level <= LEVELS["DEBUG"] or remarkable else None
    if not line.startswith("{"):
        return line or None
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return line
    severity = str(entry.get("level", "info")).upper()
    if LEVELS.get(severity, 20) < level:
        return None
    rest = " ".join(f"{key}={_short(value)}" for key, value in entry.items() if key not in BORING)
    mark = "" if severity == "INFO" else f"{severity} "
    return f"{mark}{entry.get('event', '')} {rest}".rstrip()


def show(name: str, text: str, terminal: TextIO | None) -> None:
    """Print with the prefix of `name`; a terminal that has gone away is no reason to stop."""
    if terminal is not None:
        with contextlib.suppress(OSError, ValueError):
            print(prefixed(name, text, terminal), file=terminal, flush=True)


def prefixed(name: str, text: str, terminal: TextIO) -> str:
    label = f"{name:<{NAME_WIDTH}}|"
    if terminal.isatty() and "NO_COLOR" not in os.environ:
        label = f"\033[{COLOURS.get(name, 90)}m{label}\033[0m"
    return f"{label} {text}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "…"
