"""The production configuration of PostgreSQL and NATS, run by the real programs."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import nats
import psycopg
import pytest

from deploy import compose_secrets
from deploy.embedded import process
from deploy.embedded.nats import program
from deploy.embedded.ports import free_port
from deploy.embedded.postgres import PostgresServer, programs
from deploy.embedded.ready import ask
from shared.topology import STREAMS, ensure_streams
from tests.deploy.compose import ROOT


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    compose_secrets.write_all(tmp_path / "run" / "secrets")
    return tmp_path / "run" / "secrets"


def test_database_script_can_run_twice(tmp_path: Path, secrets: Path) -> None:
    with PostgresServer(tmp_path / "data") as server:
        environment = {
            **os.environ,
            "HUANYING_SECRETS": str(secrets),
            "PATH": f"{programs()}:{os.environ['PATH']}",
            "PGHOST": str(server.socket_dir),
        }
        for _ in range(2):
            subprocess.run(["sh", ROOT / "deploy" / "postgres" / "databases.sh"], env=environment, check=True)
        with psycopg.connect(server.url("campaign", "campaign_owner").replace("+psycopg", "")) as connection:
            connection.execute("CREATE TABLE kept (i int)")
            roles = connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND NOT rolbypassrls ORDER BY 1"
            ).fetchall()
        assert len(roles) == 8
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(server.url("campaign", "customer_app").replace("+psycopg", ""))


@pytest.fixture
def cluster(tmp_path: Path, secrets: Path) -> Iterator[str]:
    """Three nodes of deploy/nats.conf on loopback ports; their client addresses."""
    ports = {node: (free_port(), free_port(), free_port()) for node in compose_secrets.NATS_NODES}
    routes = (secrets / "nats_routes").read_text()
    for node, (_, route, _) in ports.items():
        routes = routes.replace(f"@{node}:6222", f"@127.0.0.1:{route}")
    with ExitStack() as stack:
        for node, (client, route, monitor) in ports.items():
            text = (ROOT / "deploy" / "nats.conf").read_text("utf-8")
            for old, new in (
                ("0.0.0.0:4222", f"127.0.0.1:{client}"),
                ("0.0.0.0:6222", f"127.0.0.1:{route}"),
                ("127.0.0.1:8222", f"127.0.0.1:{monitor}"),
                ('store_dir: "/data"', f'store_dir: "{tmp_path / node}"'),
            ):
                assert text.count(old) == 1
                text = text.replace(old, new)
            config = tmp_path / "etc" / node / "nats.conf"
            config.parent.mkdir(parents=True)
            config.write_text(text)
            (secrets / "nats_routes").chmod(0o600)
            (secrets / "nats_routes").write_text(routes)
            child = process.spawn(
                [program(), "-c", config], env={"NATS_NAME": node}, output=subprocess.DEVNULL
            )
            stack.callback(process.stop, child)
        deadline = time.monotonic() + 30
        while not all(
            ask(f"http://127.0.0.1:{monitor}", "/healthz").ready for _, _, monitor in ports.values()
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield ",".join(f"nats://127.0.0.1:{client}" for client, _, _ in ports.values())


async def test_three_nodes_keep_three_copies(cluster: str, secrets: Path) -> None:
    client = await nats.connect(
        cluster.split(","),
        user=compose_secrets.NATS_USER,
        password=(secrets / "nats_password").read_text(),
    )
    try:
        stream = client.jetstream(timeout=10)
        await ensure_streams(stream, replicas=3, max_bytes=64 * 1024**2)
        for name in STREAMS:
            assert (await stream.stream_info(name)).config.num_replicas == 3
        assert (await stream.publish("customer.x", b"kept", timeout=10)).seq == 1
    finally:
        await client.close()
