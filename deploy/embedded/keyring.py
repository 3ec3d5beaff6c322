"""The secrets of one installation: made once, each in a file of its own, readable by its owner alone."""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from deploy.embedded.databases import SERVICES
from deploy.embedded.errors import StackError
from shared.auth import ApiKey, LocalIssuer, Role, new_api_key

_KEYS = TypeAdapter(list[ApiKey])

SERVICE_ROLES: Mapping[str, tuple[Role, ...]] = {
    **dict.fromkeys(SERVICES, (Role.integrator,)),
    "campaign": (Role.integrator, Role.messenger),
}


@dataclass(frozen=True)
class Keyring:
    """Files below `data_dir/secrets`."""

    directory: Path

    @property
    def issuer_key(self) -> Path:
        return self.directory / "issuer.key"

    @property
    def jwks(self) -> Path:
        return self.directory / "jwks.json"

    @property
    def api_keys(self) -> Path:
        """Hashes only; the services read it again when it changes."""
        return self.directory / "api_keys.json"

    @property
    def pii_key(self) -> Path:
        """32 random bytes in hexadecimal. Lost with it is every name and number in the database."""
        return self.directory / "pii.key"

    @property
    def webhook_key(self) -> Path:
        """32 random bytes in hexadecimal. Lost with it are the signing secrets of webhooks: rotate each."""
        return self.directory / "webhook.key"

    @property
    def session_secret(self) -> Path:
        return self.directory / "session.secret"

    def clear_key(self, key_id: str) -> Path:
        """The key itself, for the program that presents it."""
        return self.directory / "keys" / f"{key_id}.key"

    def service_key(self, service: str) -> Path:
        return self.clear_key(f"service-{service}")

    @property
    def issuer(self) -> LocalIssuer:
        if not self.issuer_key.exists():
            raise StackError(
                f"No issuer key in {self.directory}: run `huanying up` once with this --data-dir"
            )
        return LocalIssuer(self.issuer_key)

    def ensure(self) -> None:
        """Make what is missing; never replaces a secret that exists."""
        for directory in (self.directory, self.directory / "keys"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
        # The JWKS is written last: a pair that lacks it was interrupted, and no token was ever signed by it.
        if not (self.issuer_key.exists() and self.jwks.exists()):
            LocalIssuer.create(self.issuer_key, self.jwks)
        self._once(self.pii_key, secrets.token_hex(32))
        self._once(self.webhook_key, secrets.token_hex(32))
        self._once(self.session_secret, secrets.token_urlsafe(48))
        self._once(self.api_keys, "[]")
        for service in SERVICES:
            self.ensure_key(f"service-{service}", roles=SERVICE_ROLES[service])

    def ensure_key(
        self, key_id: str, *, roles: Sequence[Role], org: str = "hq", source: str | None = None
    ) -> str:
        """The clear key of `key_id`, made and registered when it is not there yet, with these roles."""
        file = self.clear_key(key_id)
        entries = self.entries()
        known = next((entry for entry in entries if entry.id == key_id), None)
        if known is None or not file.exists():
            key = self.create_key(key_id, roles=roles, org=org, source=source, replace=True)
            write_secret(file, key)
        elif known.roles != list(roles):
            # An installation made by an earlier release: its key stays what it is.
            changed = known.model_copy(update={"roles": list(roles)})
            self._save([changed if entry is known else entry for entry in entries])
        return file.read_text()

    def create_key(
        self,
        key_id: str,
        *,
        roles: Sequence[Role],
        org: str = "hq",
        source: str | None = None,
        expires: float | None = None,
        replace: bool = False,
    ) -> str:
        """Register a new key and return it: it is written nowhere else. `expires` is in Unix seconds."""
        entries = self.entries()
        if any(entry.id == key_id for entry in entries) and not replace:
            raise StackError(f"An API key named {key_id} exists already")
        key, digest = new_api_key()
        entry = ApiKey(id=key_id, sha256=digest, roles=list(roles), org=org, source=source, expires=expires)
        self._save([*(old for old in entries if old.id != key_id), entry])
        return key

    def revoke_key(self, key_id: str) -> None:
        entries = self.entries()
        if all(entry.id != key_id for entry in entries):
            raise StackError(f"No API key is named {key_id}")
        self._save([entry for entry in entries if entry.id != key_id])
        self.clear_key(key_id).unlink(missing_ok=True)

    def entries(self) -> list[ApiKey]:
        return _KEYS.validate_json(self.api_keys.read_bytes()) if self.api_keys.exists() else []

    def too_open(self) -> list[Path]:
        """Secrets that others than the owner could read."""
        if not self.directory.exists():
            return []
        everything = [self.directory, *self.directory.rglob("*")]
        return [path for path in everything if path.stat().st_mode & 0o077 and path != self.jwks]

    def _save(self, entries: list[ApiKey]) -> None:
        write_secret(self.api_keys, _KEYS.dump_json(entries, indent=1, exclude_none=True).decode())

    def _once(self, path: Path, text: str) -> None:
        if not path.exists():
            write_secret(path, text)


def write_secret(path: Path, text: str) -> None:
    """Whole or not at all, and never for a moment readable by others."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
