"""Each command of docker-compose.yml, exactly, as a process: until the container's own health check passes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy import compose_secrets
from deploy.embedded import process
from deploy.embedded.databases import SERVICES as NAMES
from deploy.embedded.nats import USER, NatsServer
from deploy.embedded.ports import free_port
from deploy.embedded.postgres import PostgresServer
from tests.deploy.compose import OURS, with_defaults

HEALTHY_SECONDS = 90

pytestmark = pytest.mark.xdist_group("stack")


@dataclass
class Host:
    """Stands in for docker: names, secret mounts and volumes of the file become addresses and folders here."""

    directory: Path
    postgres: PostgresServer
    nats: NatsServer
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def command(self, name: str) -> list[str]:
        program, *arguments = OURS[name]["command"]
        return [str(Path(sys.executable).with_name(program)), *arguments]

    def environment(self, name: str) -> dict[str, str]:
        own = {key: with_defaults(str(value)) for key, value in OURS[name]["environment"].items()}
        for key, value in own.items():
            own[key] = self._here(value)
        for service in NAMES:
            if f"HUANYING_{service.upper()}_URL" in own:
                own[f"HUANYING_{service.upper()}_URL"] = f"http://127.0.0.1:{self.port(f'{service}-api')}"
        if "HUANYING_PORT" in own:
            own |= {"HUANYING_HOST": "127.0.0.1", "HUANYING_PORT": str(self.port(name))}
            own["HUANYING_DATA_DIR"] = str(self.directory / "volumes" / name)
        if "HUANYING_NATS_URL" in own:
            assert own["HUANYING_NATS_USER"] == USER
            own["HUANYING_NATS_URL"] = self.nats.address
            own["HUANYING_NATS_PASSWORD_FILE"] = str(self.nats.password_file)
            own["HUANYING_NATS_REPLICAS"] = "1"  # one node here
            own["HUANYING_NATS_STREAM_MAX_BYTES"] = str(64 * 1024**2)
        return {"PATH": os.environ["PATH"], "HOME": str(self.directory), **own}

    def port(self, name: str) -> int:
        if name not in self.ports:
            self.ports[name] = free_port(set(self.ports.values()))
        return self.ports[name]

    def run(self, name: str) -> None:
        environment = self.environment(name)
        if "HUANYING_DATA_DIR" in environment:
            Path(environment["HUANYING_DATA_DIR"], "imports").mkdir(parents=True)
        with (self.directory / f"{name}.log").open("wb") as log:
            self.running[name] = process.spawn(self.command(name), env=environment, output=log.fileno())

    def becomes_healthy(self, name: str) -> None:
        check = [str(Path(sys.executable)), *OURS[name]["healthcheck"]["test"][2:]]
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            answer = subprocess.run(
                check, env=self.environment(name), capture_output=True, text=True, check=False
            )
            if answer.returncode == 0:
                return
            assert self.running[name].poll() is None, self.log(name)
            assert time.monotonic() < deadline, f"{name}: {answer.stderr}\n{self.log(name)}"
            time.sleep(0.3)

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")[-4000:]

    def _here(self, value: str) -> str:
        if "@postgres/" in value:
            return value.replace("@postgres/", "@/") + f"?host={self.postgres.socket_dir}"
        return value.replace("/run/secrets/", f"{self.directory}/secrets/")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    compose_secrets.write_all(tmp_path / "secrets")
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(tmp_path / "pg"))
        postgres.create_databases()
        nats = stack.enter_context(NatsServer(tmp_path / "nats"))
        here = Host(tmp_path, postgres, nats)
        yield here
        for child in here.running.values():
            process.stop(child, grace=1)


@pytest.mark.slow
def test_every_command_becomes_healthy_and_stops(host: Host) -> None:
    for service in NAMES:
        migrated = subprocess.run(
            host.command(f"{service}-migrate"),
            env=host.environment(f"{service}-migrate"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert migrated.returncode == 0, migrated.stderr
    for kind in ("api", "worker"):
        for service in NAMES:
            host.run(f"{service}-{kind}")
        for service in NAMES:
            host.becomes_healthy(f"{service}-{kind}")
    host.run("console")
    host.becomes_healthy("console")
    for child in host.running.values():
        child.send_signal(signal.SIGTERM)
    for name, child in host.running.items():
        assert child.wait(45) in {0, -signal.SIGTERM}, host.log(name)
