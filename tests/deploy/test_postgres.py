import os
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from deploy.embedded import postgres, process
from deploy.embedded.errors import StackError, TakenError
from deploy.embedded.postgres import PostgresServer
from tests.deploy.conftest import Owner, gone, kill

OWN = """
import sys
from pathlib import Path
from deploy.embedded.postgres import PostgresServer
server = PostgresServer(Path(sys.argv[1] if len(sys.argv) > 1 else {data_dir!r}))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


def connect(server: PostgresServer, database: str = "postgres", role: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(server.url(database, role).replace("+psycopg", ""), autocommit=True)


def test_fresh_start(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path)
    server.start()
    try:
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        with connect(server) as connection:
            settings = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
        assert settings["fsync"] == settings["synchronous_commit"] == "on"
        assert settings["data_checksums"] == "on"
        assert not settings["listen_addresses"]
        assert settings["server_encoding"] == "UTF8"
    finally:
        server.stop()
    assert not (tmp_path / "pg" / "postmaster.pid").exists()
    assert server.pid is None


def test_databases_belong_to_their_services(tmp_path: Path) -> None:
    with PostgresServer(tmp_path) as server:
        server.create_databases()
        server.create_databases()
        with connect(server, "customer", "customer_owner") as connection:
            connection.execute("CREATE TABLE secret (i int)")
        with connect(server, "customer", "customer_app") as connection:
            with pytest.raises(InsufficientPrivilege):
                connection.execute("SELECT * FROM secret")
            row = connection.execute(
                "SELECT rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            assert row == (False, False, False)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(server, "campaign", "customer_app")


def test_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "pg.tmp"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with PostgresServer(tmp_path) as server, connect(server) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not unfinished.exists()


def test_values_stay_out_of_the_log(tmp_path: Path) -> None:
    with PostgresServer(tmp_path) as server, connect(server) as connection:
        connection.execute("CREATE TABLE person (id int PRIMARY KEY, phone text UNIQUE)")
        connection.execute("INSERT INTO person VALUES (1, %s)", ("13800001111",))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO person VALUES (2, %s)", ("13800001111",))
        connection.execute("SET log_min_duration_statement = 0")
        connection.execute("SELECT * FROM person WHERE phone = %s", ("13800001111",))
        log = server.log_file.read_text()
    assert "duplicate key" in log
    assert "SELECT * FROM person" in log
    assert "13800001111" not in log


def test_a_foreign_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "thesis.txt").write_text("years of work")
    with pytest.raises(StackError, match="Nothing was touched"):
        PostgresServer(tmp_path).start()
    assert (tmp_path / "pg" / "thesis.txt").read_text() == "years of work"


def test_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "PG_VERSION").write_text("15\n")
    with pytest.raises(StackError, match="made by PostgreSQL 15"):
        PostgresServer(tmp_path).start()


def test_killed_server_restarts_on_the_same_socket_with_its_data(tmp_path: Path) -> None:
    with PostgresServer(tmp_path) as server:
        with connect(server) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS i")
        url = server.url("postgres")
        kill(server)
        server.start()
        assert server.url("postgres") == url
        with connect(server) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_killed_owner_takes_the_server_with_it(tmp_path: Path, owner: Owner) -> None:
    child = owner(OWN.format(data_dir=str(tmp_path)))
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    child.kill()
    child.wait()
    assert gone(pid)
    left_behind = Path((tmp_path / "pg.socket").read_text())
    with PostgresServer(tmp_path) as server, connect(server) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not left_behind.exists()
    assert not (tmp_path / "pg.socket").exists()


def test_second_owner_is_refused(tmp_path: Path, owner: Owner) -> None:
    child = owner(OWN.format(data_dir=str(tmp_path)))
    assert child.stdout is not None
    child.stdout.readline()
    with pytest.raises(TakenError, match=f"process {child.pid}"):
        PostgresServer(tmp_path).start()
    assert child.poll() is None


def test_leftover_server_is_stopped_first(tmp_path: Path) -> None:
    with PostgresServer(tmp_path) as first:
        account, cluster = first._account, first.cluster
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    sockets.chmod(0o777)
    leftover = process.spawn(
        [postgres.programs() / "postgres", "-D", cluster, "-k", sockets],
        account=account,
        output=subprocess.DEVNULL,
    )
    while not (cluster / "postmaster.pid").exists():
        assert leftover.poll() is None
    with PostgresServer(tmp_path) as server, connect(server) as connection:
        assert leftover.wait(20) is not None
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("content", ["{me}\n{cluster}\n0\n5432\n/nowhere\n\n0 0\nready\n", "", "4194304\n"])
def test_stale_pid_file(tmp_path: Path, content: str) -> None:
    """The pid in the file belongs by now to another program, or to none, or was never written."""
    with PostgresServer(tmp_path) as server:
        cluster = server.cluster
    (cluster / "postmaster.pid").write_text(content.format(me=os.getpid(), cluster=cluster))
    with PostgresServer(tmp_path) as server, connect(server) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_directory_closed_to_others_works(tmp_path: Path) -> None:
    """Root's home is closed to the account PostgreSQL runs as; so may be a long path."""
    closed = tmp_path / "home" / ("long" * 30)
    closed.mkdir(parents=True)
    (tmp_path / "home").chmod(0o700)
    with PostgresServer(closed) as server, connect(server) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
