import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
import typer
from typer.testing import CliRunner

from deploy.cli import app
from deploy.commands.clock import parse
from deploy.embedded.errors import StackError
from deploy.embedded.keyring import Keyring
from shared.auth import Authenticator, Role
from shared.errors import Unauthorized
from shared.settings import Settings


def huanying(*arguments: str | Path) -> str:
    answer = CliRunner().invoke(app, [*map(str, arguments)])
    assert answer.exit_code == 0, answer.output
    return answer.stdout


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    made = Keyring(tmp_path / "secrets")
    made.ensure()
    return made


def authenticator(keyring: Keyring) -> Authenticator:
    return Authenticator(Settings(jwks_file=keyring.jwks, api_keys_file=keyring.api_keys))


async def test_token_of_a_demo_user(tmp_path: Path, keyring: Keyring) -> None:
    token = huanying("token", "--user", "approver", "--minutes", "5", "--data-dir", tmp_path).strip()
    principal = await authenticator(keyring).by_token(token)
    assert principal.roles == {Role.approver}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 300


async def test_token_of_a_staff_member(tmp_path: Path, keyring: Keyring) -> None:
    options = ["--user", "S0012", "--roles", "manager,branch_head", "--org", "hq.sh.pudong"]
    token = huanying("token", *options, "--data-dir", tmp_path).strip()
    principal = await authenticator(keyring).by_token(token)
    assert principal.roles == {Role.manager, Role.branch_head}
    assert (principal.staff, principal.org) == ("S0012", "hq.sh.pudong")
    assert not principal.covers("hq.bj")


def test_token_of_nobody(tmp_path: Path, keyring: Keyring) -> None:
    answer = CliRunner().invoke(app, ["token", "--user", "bob", "--data-dir", str(tmp_path)])
    assert isinstance(answer.exception, StackError)
    assert "strategist" in str(answer.exception)
    answer = CliRunner().invoke(
        app, ["token", "--user", "bob", "--roles", "king", "--org", "hq", "--data-dir", str(tmp_path)]
    )
    assert answer.exit_code == 2


def test_api_key_from_birth_to_end(tmp_path: Path, keyring: Keyring) -> None:
    key = huanying("apikey", "create", "card", "--source", "card-platform", "--data-dir", tmp_path).strip()
    known = authenticator(keyring)
    assert known.api_keys.principal(key).source == "card-platform"
    assert key not in keyring.api_keys.read_text()
    assert "source=card-platform" in huanying("apikey", "list", "--data-dir", tmp_path)
    assert stat.S_IMODE(keyring.api_keys.stat().st_mode) == 0o600
    with pytest.raises(StackError, match="exists already"):
        keyring.create_key("card", roles=[Role.integrator])
    huanying("apikey", "revoke", "card", "--data-dir", tmp_path)
    with pytest.raises(Unauthorized):
        known.api_keys.principal(key)


def test_secrets_are_made_once(keyring: Keyring) -> None:
    before = {path: path.read_bytes() for path in keyring.directory.rglob("*") if path.is_file()}
    keyring.ensure()
    assert {path: path.read_bytes() for path in before} == before
    assert keyring.ensure_key("core", roles=[Role.integrator], source="core") == keyring.ensure_key(
        "core", roles=[Role.integrator], source="core"
    )
    assert keyring.too_open() == []


def test_an_interrupted_key_pair_is_made_again(keyring: Keyring) -> None:
    keyring.jwks.unlink()
    keyring.ensure()
    token = keyring.issuer.token("x", roles=[Role.admin], org="hq")
    assert jwt.PyJWKSet.from_json(keyring.jwks.read_text())[jwt.get_unverified_header(token)["kid"]]


def test_clock(tmp_path: Path) -> None:
    assert "the system's time" in huanying("clock", "show", "--data-dir", tmp_path)
    assert "shifted by 7 days" in huanying("clock", "set", "+7d", "--data-dir", tmp_path)
    assert "shifted by 6 days, 12:00:00" in huanying("clock", "set", "--data-dir", tmp_path, "--", "-12h")
    assert "the system's time" in huanying("clock", "reset", "--data-dir", tmp_path)


def test_clock_words() -> None:
    now = datetime.now(UTC)
    assert abs(parse("+1.5h", now) - timedelta(hours=1.5)) < timedelta(seconds=1)
    assert abs(parse((now + timedelta(days=2)).isoformat(), now) - timedelta(days=2)) < timedelta(seconds=1)
    with pytest.raises(typer.BadParameter):
        parse("tomorrow", now)


def test_demo_is_refused_before_anything_starts(tmp_path: Path) -> None:
    for options in (["--bank", "savings"], ["--bank", "berka"], ["--data", "/nonexistent"]):
        answer = CliRunner().invoke(app, ["demo", *options, "--data-dir", str(tmp_path / "data")])
        assert answer.exit_code == 2
    assert not (tmp_path / "data").exists()
