import os
import socket
import stat
from pathlib import Path

import nats
import pytest

from deploy.embedded.errors import TakenError
from deploy.embedded.nats import NatsServer
from tests.deploy.conftest import Owner, gone, kill

OWN = """
import sys
from pathlib import Path
from deploy.embedded.nats import NatsServer
server = NatsServer(Path({data_dir!r}))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


async def publish(server: NatsServer, count: int) -> None:
    client = await nats.connect(server.url)
    stream = client.jetstream()
    await stream.add_stream(name="A", subjects=["a.>"])
    for number in range(count):
        await stream.publish("a.b", str(number).encode())
    await client.close()


async def stored(server: NatsServer) -> int:
    client = await nats.connect(server.url)
    info = await client.jetstream().stream_info("A")
    await client.close()
    return info.state.messages


async def test_acknowledged_messages_survive_a_kill(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        await publish(server, 50)
        port = server.port
        kill(server)
        server.start()
        assert server.port == port
        assert await stored(server) == 50
    with NatsServer(tmp_path) as server:
        assert await stored(server) == 50


async def test_nobody_publishes_without_the_password(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        assert stat.S_IMODE(server.config_file.stat().st_mode) == 0o600
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert b"Authorization Violation" in answer


async def test_killed_owner_takes_the_server_with_it(tmp_path: Path, owner: Owner) -> None:
    child = owner(OWN.format(data_dir=str(tmp_path)))
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    with pytest.raises(TakenError, match=f"process {child.pid}"):
        NatsServer(tmp_path).start()
    child.kill()
    child.wait()
    assert gone(pid)
    with NatsServer(tmp_path) as server:
        await publish(server, 1)


async def test_stale_pid_file(tmp_path: Path) -> None:
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "nats.pid").write_text(str(os.getpid()))
    with NatsServer(tmp_path) as server:
        await publish(server, 1)
