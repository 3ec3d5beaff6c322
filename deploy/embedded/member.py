"""The Python processes of the stack: the four services and the console."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deploy.embedded import process
from deploy.embedded.databases import SERVICES, app_of
from deploy.embedded.keyring import Keyring
from deploy.embedded.nats import USER, NatsServer
from deploy.embedded.postgres import PostgresServer

CONSOLE = "console"


class Member(Protocol):
    """What the supervisor keeps alive."""

    @property
    def alive(self) -> bool: ...
    @property
    def pid(self) -> int | None: ...
    def start(self) -> None: ...


@dataclass
class ServiceProcess:
    """One service (API and worker in one process) or the console."""

    name: str
    port: int
    env: Mapping[str, str]
    output: int
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self.alive and self._process else None

    @property
    def command(self) -> list[str]:
        module = ["services.console.main"] if self.name == CONSOLE else ["shared.serve", self.name]
        return [sys.executable, "-m", *module]

    def start(self) -> None:
        if not self.alive:
            # Nothing a service does needs a farewell, so when the supervisor is killed it goes at once.
            self._process = process.spawn(
                self.command, env=self.env, output=self.output, death_signal=signal.SIGKILL
            )

    def ask_to_stop(self) -> None:
        if self._process is not None and self.alive:
            self._process.send_signal(signal.SIGTERM)

    def wait_stopped(self, grace: float) -> bool:
        """True when it went by itself."""
        return self._process is None or process.stop(self._process, grace=grace)

    def kill(self) -> None:
        if self._process is not None and self.alive:
            self._process.kill()


@dataclass(frozen=True)
class Ports:
    services: Mapping[str, int]
    console: int

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.services[service]}"


def common_environment(data_dir: Path, keyring: Keyring, ports: Ports, log_level: str) -> dict[str, str]:
    """What every process is told. The caller's HUANYING_* settings stay where the stack has no say."""
    urls = {f"HUANYING_{service.upper()}_URL": ports.url(service) for service in SERVICES}
    return {
        **os.environ,
        **urls,
        "HUANYING_HOST": "127.0.0.1",
        "HUANYING_LOG_LEVEL": log_level.upper(),
        "HUANYING_JWKS_FILE": str(keyring.jwks),
        "HUANYING_API_KEYS_FILE": str(keyring.api_keys),
        "HUANYING_CLOCK_FILE": str(data_dir / "clock"),
        "PYTHONUNBUFFERED": "1",
    }


def service_environment(
    service: str,
    common: Mapping[str, str],
    *,
    data_dir: Path,
    keyring: Keyring,
    ports: Ports,
    postgres: PostgresServer,
    nats: NatsServer,
) -> dict[str, str]:
    own = {
        "HUANYING_PORT": str(ports.services[service]),
        "HUANYING_INLINE_WORKER": "true",
        "HUANYING_DATABASE_URL": postgres.url(service, app_of(service)),
        "HUANYING_NATS_URL": nats.address,
        "HUANYING_NATS_USER": USER,
        "HUANYING_NATS_PASSWORD_FILE": str(nats.password_file),
        "HUANYING_NATS_STREAM_MAX_BYTES": str(_stream_bytes(data_dir)),
        "HUANYING_SERVICE_KEY_FILE": str(keyring.service_key(service)),
        "HUANYING_WEBHOOK_KEY_FILE": str(keyring.webhook_key),
        "HUANYING_DATA_DIR": str(data_dir / "services" / service),
    }
    if service == "customer":
        own["HUANYING_PII_KEY_FILE"] = str(keyring.pii_key)
    return {**common, **own}


def console_environment(
    common: Mapping[str, str], *, host: str, data_dir: Path, keyring: Keyring, ports: Ports
) -> dict[str, str]:
    return {
        **common,
        "HUANYING_HOST": host,
        "HUANYING_PORT": str(ports.console),
        "HUANYING_ISSUER_KEY_FILE": str(keyring.issuer_key),
        "HUANYING_SESSION_SECRET_FILE": str(keyring.session_secret),
        "HUANYING_DATA_DIR": str(data_dir),
    }


def _stream_bytes(data_dir: Path) -> int:
    """JetStream reserves the limits of its five streams: on a small disk the default would be refused."""
    return min(4 * 1024**3, shutil.disk_usage(data_dir).free // 10)
