"""Who is calling: people by JWT, systems by API key; what they may do: roles × organisation scope."""

import asyncio
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ConfigDict, TypeAdapter, ValidationError

from shared.contracts.base import Code, OrgPath, Schema
from shared.errors import Unauthorized
from shared.settings import Settings

ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA"]
"""Asymmetric only: a service that verifies must not be able to sign."""

HEAD_OFFICE = "hq"
_JWKS_SECONDS = 300
_JWKS_MIN_SECONDS = 10


class Role(StrEnum):
    admin = "admin"
    strategist = "strategist"
    approver = "approver"
    branch_head = "branch_head"
    manager = "manager"
    auditor = "auditor"
    integrator = "integrator"
    messenger = "messenger"
    """Programs that deliver messages: may learn the address of whoever agreed to get them."""


@dataclass(frozen=True)
class Principal:
    id: str
    roles: frozenset[Role]
    org: str
    name: str = ""
    staff: str | None = None
    """Staff code of a person."""
    source: str | None = None
    """Source system of an API key; it may write events of this source only."""

    @property
    def scope(self) -> str:
        """For row-level security: head office sees everything without a check per row."""
        return "*" if self.org == HEAD_OFFICE else self.org

    def covers(self, org_path: str) -> bool:
        return self.org in {HEAD_OFFICE, org_path} or org_path.startswith(self.org + ".")

    def has(self, *roles: Role) -> bool:
        return Role.admin in self.roles or not self.roles.isdisjoint(roles)


class ApiKey(Schema):
    """An entry of the API keys file: the key itself is stored nowhere."""

    id: Code
    sha256: str
    roles: list[Role]
    org: OrgPath = "hq"
    source: Code | None = None
    expires: float | None = None


_API_KEYS = TypeAdapter(list[ApiKey])


def new_api_key() -> tuple[str, str]:
    """A fresh key and the hash to keep. 256 random bits need no slow hash."""
    key = "hy_" + secrets.token_urlsafe(32)
    return key, hash_key(key)


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass
class ApiKeys:
    """The API keys file; an edit is seen at the next request, no restart needed."""

    file: Path | None
    _changed: int | None = None
    _by_hash: dict[str, ApiKey] = field(default_factory=dict)

    def principal(self, key: str) -> Principal:
        self._refresh()
        entry = self._by_hash.get(hash_key(key))
        if entry is None or (entry.expires is not None and entry.expires < time.time()):
            raise Unauthorized("The API key is not known or has expired")
        return Principal(
            id=f"key:{entry.id}",
            roles=frozenset(entry.roles),
            org=entry.org,
            name=entry.id,
            source=entry.source,
        )

    def _refresh(self) -> None:
        if self.file is None:
            return
        try:
            changed = self.file.stat().st_mtime_ns
        except FileNotFoundError:
            self._by_hash = {}
            return
        if changed != self._changed:
            entries = _API_KEYS.validate_json(self.file.read_bytes())
            self._by_hash = {entry.sha256: entry for entry in entries}
            self._changed = changed


class Claims(Schema):
    """The claims we read of a token; an identity provider maps its own to these."""

    model_config = ConfigDict(extra="ignore")
    sub: str
    roles: list[Role]
    org: OrgPath
    name: str = ""
    staff: str | None = None


@dataclass
class Authenticator:
    """Verifies JWTs against a JWKS (file or URL, re-read when a key id is new) and API keys."""

    settings: Settings
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _read_at: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.api_keys = ApiKeys(self.settings.api_keys_file)

    async def by_token(self, token: str) -> Principal:
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            key = await self._key(key_id)
            claims = Claims.model_validate(self._verified(token, key))
        except jwt.PyJWTError as error:
            raise Unauthorized(f"The token is not valid: {error}") from error
        except ValidationError as error:
            raise Unauthorized("The token lacks sub, roles or org, or they are not valid") from error
        return Principal(
            id=f"user:{claims.sub}",
            roles=frozenset(claims.roles),
            org=claims.org,
            name=claims.name or claims.sub,
            staff=claims.staff,
        )

    def _verified(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=self.settings.jwt_audience,
            issuer=self.settings.jwt_issuer,
            leeway=30,
            options={"require": ["exp", "sub", "iss", "aud"]},
        )

    async def _key(self, key_id: str) -> jwt.PyJWK:
        if self._stale(key_id):
            async with self._lock:
                if self._stale(key_id):
                    self._keys = {str(key.key_id): key for key in (await self._load()).keys}
                    self._read_at = time.monotonic()
        if key_id not in self._keys:
            raise Unauthorized("The token was signed with a key this system does not know")
        return self._keys[key_id]

    def _stale(self, key_id: str) -> bool:
        age = time.monotonic() - self._read_at
        return not self._keys or age > _JWKS_SECONDS or (key_id not in self._keys and age > _JWKS_MIN_SECONDS)

    async def _load(self) -> jwt.PyJWKSet:
        if self.settings.jwks_file:
            return jwt.PyJWKSet.from_json(self.settings.jwks_file.read_text("utf-8"))
        if self.settings.jwks_url:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = await client.get(self.settings.jwks_url)
                answer.raise_for_status()
                return jwt.PyJWKSet.from_dict(answer.json())
        raise Unauthorized("No JWKS is configured: set HUANYING_JWKS_FILE or HUANYING_JWKS_URL")


@dataclass(frozen=True)
class LocalIssuer:
    """Signs tokens where no identity provider is: the embedded stack and the tests."""

    key_file: Path
    issuer: str = "huanying"
    audience: str = "huanying"

    @classmethod
    def create(cls, key_file: Path, jwks_file: Path) -> "LocalIssuer":
        """Write a new private key (0600) and the JWKS that verifies it."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key_file.touch(mode=0o600)
        key_file.write_bytes(pem)
        public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        kid = hashlib.sha256(orjson.dumps(public, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        jwks_file.write_bytes(orjson.dumps({"keys": [{**public, "kid": kid, "use": "sig", "alg": "ES256"}]}))
        return cls(key_file)

    def token(
        self,
        subject: str,
        *,
        roles: list[Role],
        org: str,
        name: str = "",
        staff: str | None = None,
        minutes: float = 480,
    ) -> str:
        private = serialization.load_pem_private_key(self.key_file.read_bytes(), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("the local issuer's key is not an EC key")
        public = jwt.algorithms.ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        kid = hashlib.sha256(orjson.dumps(public, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        issued = time.time()
        claims = {
            "sub": subject,
            "roles": [role.value for role in roles],
            "org": org,
            "name": name,
            "staff": staff,
            "iss": self.issuer,
            "aud": self.audience,
            "iat": int(issued),
            "exp": int(issued + minutes * 60),
        }
        return jwt.encode(claims, private, algorithm="ES256", headers={"kid": kid})


@dataclass(frozen=True)
class DemoUser:
    """A user of the embedded stack's local issuer."""

    id: str
    name: str
    roles: tuple[Role, ...]
    org: str
    staff: str | None = None


DEMO_USERS = (
    DemoUser("admin", "系统管理员 Admin", (Role.admin,), "hq", "S0001"),
    DemoUser("strategist", "策略经理 Strategist", (Role.strategist,), "hq", "S0002"),
    DemoUser("approver", "审批人 Approver", (Role.approver,), "hq", "S0003"),
    DemoUser("auditor", "审计员 Auditor", (Role.auditor,), "hq", "S0004"),
)
"""Head office, the same in every demonstration bank; branch heads and managers come from its staff."""
