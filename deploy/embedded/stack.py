"""`huanying up`: PostgreSQL, nats-server, four services and the console, supervised as one."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO, TypeVar

from deploy.embedded import ready
from deploy.embedded.databases import SERVICES
from deploy.embedded.errors import StackError
from deploy.embedded.keyring import Keyring
from deploy.embedded.lock import DirectoryLock
from deploy.embedded.member import (
    CONSOLE,
    Member,
    Ports,
    ServiceProcess,
    common_environment,
    console_environment,
    service_environment,
)
from deploy.embedded.migrations import upgrade
from deploy.embedded.nats import NatsServer
from deploy.embedded.output import Output, show
from deploy.embedded.ports import free_port, refuse_if_busy
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.state import StackState, stop_leftovers
from deploy.embedded.supervisor import Supervisor
from deploy.embedded.tokens import demo_token

NAMES = ("postgres", "nats", *SERVICES, CONSOLE)

log = logging.getLogger(__name__)

ServerT = TypeVar("ServerT", PostgresServer, NatsServer)


class Stack:
    """One installation below `data_dir`, reachable at `base_url`.

    `start` returns when everything is ready; from then on whatever dies is restarted until `stop`.
    Usable as a context manager. `terminal` gets the prefixed log lines, None keeps them to `data_dir/logs`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        log_level: str = "INFO",
        terminal: TextIO | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.host = host
        self.port = port
        self.log_level = log_level
        self.keyring = Keyring(self.data_dir / "secrets")
        self._terminal = terminal
        self._lock = stack_lock(self.data_dir)
        self._outputs: dict[str, Output] = {}
        self._postgres: PostgresServer | None = None
        self._nats: NatsServer | None = None
        self._services: dict[str, ServiceProcess] = {}
        self._supervisor: Supervisor | None = None
        self._hurry = threading.Event()

    @property
    def base_url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104  compared, not bound
        return f"http://{host}:{self.port}"

    @property
    def postgres(self) -> PostgresServer:
        return _started(self._postgres)

    @property
    def nats(self) -> NatsServer:
        return _started(self._nats)

    def start(self, timeout: float = 180.0) -> None:
        """Raise `TakenError` for a busy port or a directory in use, `StackError` for whatever else fails."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._start(timeout)
        except BaseException:
            self.stop()
            raise

    def _start(self, timeout: float) -> None:
        stop_leftovers(self.data_dir)
        if self.port == 0:
            self.port = free_port()
        refuse_if_busy(self.host, self.port)
        self.keyring.ensure()
        self._start_servers()
        self._migrate()
        self._make_processes()
        members: dict[str, Member] = {"postgres": self.postgres, "nats": self.nats, **self._services}
        for member in self._services.values():
            member.start()
        self._supervisor = Supervisor(members, self._say, changed=self._write_state)
        self._write_state()
        self._supervisor.start()
        self._wait_until_ready(timeout)

    def stop(self) -> None:
        """Console first, then the services side by side (they drain), then the servers they drain into."""
        if not self._lock.mine:
            return  # never started, or stopped before: what lies there is another stack's
        if self._supervisor is not None:
            self._supervisor.stop()
        self._stop_services([CONSOLE], grace=10)
        self._stop_services(SERVICES, grace=30)
        for server in (self._nats, self._postgres):
            if server is not None:
                server.stop()
        for output in self._outputs.values():
            output.close()
        self._outputs.clear()
        self._services.clear()
        self._nats = self._postgres = self._supervisor = None
        StackState.remove(self.data_dir)
        self._lock.release()

    def hurry(self) -> None:
        """Cut `stop` short, e.g. at a second Ctrl-C: kill the services now. What is committed is safe."""
        self._hurry.set()
        for service in list(self._services.values()):
            service.kill()

    def pid(self, name: str) -> int | None:
        """Of "postgres", "nats", a service or "console"; None while it is down."""
        return self._member(name).pid

    def kill(self, name: str) -> int:
        """SIGKILL one process, as a fault; returns the pid that was. The supervisor starts it again."""
        pid = self.pid(name)
        if pid is None:
            raise StackError(f"{name} is not running")
        os.kill(pid, signal.SIGKILL)
        return pid

    def service_url(self, service: str) -> str:
        """The service itself, past the gateway (for its /readyz and /metrics)."""
        return f"http://127.0.0.1:{self._services[service].port}"

    def token(self, user: str, *, minutes: float = 480) -> str:
        """For one of the demo users of head office."""
        return demo_token(self.keyring, user, minutes=minutes)

    def wait_ready(self, name: str, timeout: float = 60.0) -> None:
        """Wait until one service (again) says it is ready."""
        self._wait_for([name], timeout, patient=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_servers(self) -> None:
        self._postgres = PostgresServer(self.data_dir, output=self._output("postgres").descriptor)
        self._nats = NatsServer(self.data_dir, output=self._output("nats").descriptor)
        with self._timed("postgres"):
            self._postgres.start()
            self._postgres.create_databases()
        with self._timed("nats"):
            self._nats.start()

    def _migrate(self) -> None:
        with self._timed("migrations"):
            upgrade(self.postgres)

    def _make_processes(self) -> None:
        taken = {self.port}
        chosen: dict[str, int] = {}
        for service in SERVICES:
            chosen[service] = free_port(taken)
            taken.add(chosen[service])
        ports = Ports(chosen, self.port)
        common = common_environment(self.data_dir, self.keyring, ports, self.log_level)
        for service in SERVICES:
            (self.data_dir / "services" / service).mkdir(parents=True, exist_ok=True)
            environment = service_environment(
                service,
                common,
                data_dir=self.data_dir,
                keyring=self.keyring,
                ports=ports,
                postgres=self.postgres,
                nats=self.nats,
            )
            self._add(service, chosen[service], environment)
        environment = console_environment(
            common, host=self.host, data_dir=self.data_dir, keyring=self.keyring, ports=ports
        )
        self._add(CONSOLE, self.port, environment)

    def _add(self, name: str, port: int, environment: dict[str, str]) -> None:
        self._services[name] = ServiceProcess(name, port, environment, self._output(name).descriptor)

    def _wait_until_ready(self, timeout: float) -> None:
        """As `wait_ready` for all, but a process that keeps dying ends the wait with its last words."""
        self._wait_for([*SERVICES, CONSOLE], timeout, patient=False)

    def _wait_for(self, names: list[str], timeout: float, *, patient: bool) -> None:
        deadline = time.monotonic() + timeout
        while waiting := self._unready(names):
            for name in waiting:
                if not patient and self._supervisor is not None and self._supervisor.hopeless(name):
                    raise StackError(f"{name} does not start; its last words:\n{self._last_words(name)}")
            if time.monotonic() > deadline:
                reasons = "\n".join(f"  {name}: {words}" for name, words in waiting.items())
                raise StackError(
                    f"Not ready after {timeout:.0f} s:\n{reasons}\nLogs: {self.data_dir / 'logs'}"
                )
            time.sleep(0.1)

    def _unready(self, names: list[str]) -> dict[str, str]:
        """Each process that cannot serve yet, with its own words."""
        waiting = {}
        for name in names:
            url = self.base_url if name == CONSOLE else self.service_url(name)
            answer = ready.ask(url, "/healthz" if name == CONSOLE else "/readyz")
            if not answer.ready:
                waiting[name] = answer.words
        return waiting

    def _stop_services(self, names: tuple[str, ...] | list[str], *, grace: float) -> None:
        members = [self._services[name] for name in names if name in self._services]
        for member in members:
            member.ask_to_stop()
        deadline = time.monotonic() + grace
        for member in members:
            left = 0.1 if self._hurry.is_set() else max(0.1, deadline - time.monotonic())
            if not member.wait_stopped(left) and not self._hurry.is_set():
                self._say(f"{member.name} did not stop in {grace:.0f} s and was killed", logging.WARNING)

    def _member(self, name: str) -> Member:
        if name == "postgres":
            return self.postgres
        return self.nats if name == "nats" else self._services[name]

    def _output(self, name: str) -> Output:
        output = Output(name, self.data_dir / "logs", level=self.log_level, terminal=self._terminal)
        self._outputs[name] = output
        return output

    def _last_words(self, name: str) -> str:
        return "\n".join(self._outputs[name].last_lines())

    def _write_state(self) -> None:
        pids = {name: self.pid(name) for name in NAMES}
        urls = {service: self.service_url(service) for service in SERVICES}
        StackState.of(self.base_url, urls, self.nats.address, pids).write(self.data_dir)

    def _say(self, text: str, level: int = logging.INFO) -> None:
        if self._terminal is None:
            log.log(level, text)
        else:
            show("huanying", text, self._terminal)

    @contextlib.contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self._say(f"{what} ready in {time.monotonic() - begun:.2f} s")


def stack_lock(data_dir: Path) -> DirectoryLock:
    return DirectoryLock(data_dir / "stack.lock", f"A stack on {data_dir}")


def _started(member: ServerT | None) -> ServerT:
    if member is None:
        raise StackError("The stack has not been started")
    return member
