"""Reaching a running stack from another program of the same installation."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded.keyring import Keyring
from deploy.embedded.nats import USER
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.stack import stack_lock
from deploy.embedded.state import StackState
from shared.settings import Settings


def running_stack(data_dir: Path) -> StackState | None:
    """What the stack on `data_dir` says of itself; None when none runs there."""
    return StackState.read(data_dir) if stack_lock(data_dir).held() else None


def keyring_of(data_dir: Path) -> Keyring:
    return Keyring(data_dir.resolve() / "secrets")


def broker_settings(data_dir: Path) -> Settings:
    """Settings that reach the running stack's broker; where none runs, those of the environment (compose)."""
    state = running_stack(data_dir)
    if state is None:
        return Settings()
    return Settings(
        nats_url=state.nats_address, nats_user=USER, nats_password_file=data_dir / "nats" / "password"
    )


@contextmanager
def database(data_dir: Path) -> Iterator[PostgresServer]:
    """The installation's PostgreSQL: the running stack's, or one started for the length of the block."""
    server = PostgresServer(data_dir)
    if running_stack(data_dir) is not None:
        server.attach()
        yield server
        return
    with stack_lock(data_dir):
        server.start()
        try:
            server.create_databases()
            yield server
        finally:
            server.stop()
