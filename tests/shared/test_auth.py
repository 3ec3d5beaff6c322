"""Tokens of people, keys of systems; roles and organisation scope."""

from pathlib import Path

import jwt
import pytest

from shared.auth import ApiKey, Authenticator, LocalIssuer, Principal, Role, new_api_key
from shared.errors import Unauthorized
from shared.settings import Settings


@pytest.fixture
def issuer(tmp_path: Path) -> LocalIssuer:
    return LocalIssuer.create(tmp_path / "key.pem", tmp_path / "jwks.json")


@pytest.fixture
def authenticator(tmp_path: Path, issuer: LocalIssuer) -> Authenticator:
    return Authenticator(Settings(jwks_file=tmp_path / "jwks.json", api_keys_file=tmp_path / "keys.json"))


async def test_a_good_token_names_its_principal(issuer: LocalIssuer, authenticator: Authenticator) -> None:
    token = issuer.token("li", roles=[Role.manager], org="hq.sh", staff="S1", name="Li")
    principal = await authenticator.by_token(token)
    assert principal == Principal("user:li", frozenset({Role.manager}), "hq.sh", "Li", "S1")


async def test_expired_foreign_and_unsigned_tokens_are_refused(
    tmp_path: Path, issuer: LocalIssuer, authenticator: Authenticator
) -> None:
    expired = issuer.token("li", roles=[Role.admin], org="hq", minutes=-5)
    other = LocalIssuer.create(tmp_path / "other.pem", tmp_path / "other.json")
    foreign = other.token("li", roles=[Role.admin], org="hq")
    claims = jwt.decode(foreign, options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none", headers={"kid": "x"})
    shared_secret = jwt.encode(
        claims, "x" * 32, algorithm="HS256", headers={"kid": jwt.get_unverified_header(foreign)["kid"]}
    )
    for token in (expired, foreign, unsigned, shared_secret, "a.b.c", ""):
        with pytest.raises(Unauthorized):
            await authenticator.by_token(token)


async def test_another_audience_and_missing_claims_are_refused(
    tmp_path: Path, issuer: LocalIssuer, authenticator: Authenticator
) -> None:
    elsewhere = LocalIssuer(issuer.key_file, audience="other")
    with pytest.raises(Unauthorized):
        await authenticator.by_token(elsewhere.token("li", roles=[Role.admin], org="hq"))
    with pytest.raises(Unauthorized):
        await authenticator.by_token(issuer.token("li", roles=[Role.admin], org="Not A Path"))


def test_api_keys_are_read_again_when_the_file_changes(tmp_path: Path, authenticator: Authenticator) -> None:
    file = tmp_path / "keys.json"
    key, digest = new_api_key()
    with pytest.raises(Unauthorized):
        authenticator.api_keys.principal(key)
    entry = ApiKey(id="core", sha256=digest, roles=[Role.integrator], source="core-banking")
    file.write_text("[" + entry.model_dump_json() + "]")
    principal = authenticator.api_keys.principal(key)
    assert (principal.id, principal.source, principal.org) == ("key:core", "core-banking", "hq")
    file.write_text("[" + entry.model_copy(update={"expires": 1.0}).model_dump_json() + "]")
    with pytest.raises(Unauthorized):
        authenticator.api_keys.principal(key)
    assert key not in file.read_text()


@pytest.mark.parametrize(
    ("org", "path", "covered"),
    [
        ("hq", "hq.sh.pudong", True),
        ("hq.sh", "hq.sh", True),
        ("hq.sh", "hq.sh.pudong", True),
        ("hq.sh", "hq.shenzhen", False),
        ("hq.sh.pudong", "hq.sh", False),
    ],
)
def test_scope_is_the_subtree(org: str, path: str, covered: bool) -> None:  # noqa: FBT001 - a table of facts
    assert Principal("p", frozenset(), org).covers(path) is covered
