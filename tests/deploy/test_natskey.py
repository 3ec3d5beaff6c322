"""`huanying natskey`: credentials of partners who push events over NATS."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy import compose_secrets
from deploy.broker_users import BrokerUsers
from deploy.cli import app
from deploy.embedded.errors import StackError
from deploy.embedded.nats import NatsServer
from deploy.embedded.state import StackState
from tests.support import wait_until

RUN = CliRunner()


def natskey(data_dir: Path, *words: str) -> str:
    result = RUN.invoke(app, ["natskey", *words, "--data-dir", str(data_dir)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_credential_is_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    seed = natskey(tmp_path, "create", "cards", "--source", "card.platform").split()[0]
    assert seed.startswith("SU")
    kept = (tmp_path / "secrets" / "broker_users.json").read_text()
    assert seed not in kept
    assert (tmp_path / "secrets" / "broker_users.json").stat().st_mode & 0o077 == 0
    assert "source=card.platform" in natskey(tmp_path, "list")
    with pytest.raises(StackError, match="exists already"):
        RUN.invoke(
            app,
            ["natskey", "create", "cards", "--source", "x", "--data-dir", str(tmp_path)],
            catch_exceptions=False,
        )
    natskey(tmp_path, "revoke", "cards")
    assert natskey(tmp_path, "list") == ""


def test_compose_gets_the_partners_too(tmp_path: Path) -> None:
    compose_secrets.write_all(tmp_path)
    assert "intake." not in (tmp_path / "nats_users").read_text()
    BrokerUsers.of(tmp_path).create("cards", "card.platform")
    assert compose_secrets.write_all(tmp_path) == ["nats_users"]
    users = (tmp_path / "nats_users").read_text()
    assert '"intake.card.platform"' in users
    assert '"_INBOX.card/platform.>"' in users
    assert compose_secrets.write_all(tmp_path) == []


def test_a_running_server_learns_of_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with NatsServer(tmp_path) as server:
        state = StackState.of("http://x", {}, server.address, {"nats": server.pid})
        monkeypatch.setattr("deploy.commands.natskey.running_stack", lambda _data_dir: state)
        natskey(tmp_path, "create", "cards", "--source", "card.platform")
        nkey = BrokerUsers.of(tmp_path).entries()[0].nkey
        assert nkey in (server.store / "users.conf").read_text()
        wait_until(lambda: "Reloaded: authorization users" in server.log_file.read_text(), what="the reload")
