"""NATS credentials of partners who push events: each may publish its own source's subject, and nothing else.

A credential is an NKey (Ed25519): the partner signs the server's challenge with its seed. The server and we
keep the public half only, so nothing that is stored here lets anybody in.
"""

import json
import secrets
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter

from deploy.embedded.errors import StackError
from deploy.embedded.keyring import write_secret
from shared.contracts.base import Code, Schema
from shared.contracts.customer.vocabulary import SourceName
from shared.topology import inbox_of, intake_subject

_SEED, _USER = 18 << 3, 20 << 3
"""Prefix bytes of the NKey encoding: `S` for a seed, `U` for a user."""


class BrokerUser(Schema):
    """A partner's credential."""

    id: Code
    source: SourceName
    nkey: str


_USERS = TypeAdapter(list[BrokerUser])


@dataclass(frozen=True)
class BrokerUsers:
    """The list of an installation, `secrets/broker_users.json`."""

    file: Path

    @classmethod
    def of(cls, data_dir: Path) -> "BrokerUsers":
        return cls(data_dir / "secrets" / "broker_users.json")

    def entries(self) -> list[BrokerUser]:
        return _USERS.validate_json(self.file.read_bytes()) if self.file.exists() else []

    def create(self, user_id: str, source: str) -> str:
        """Register a credential and return its seed: it is written nowhere else."""
        entries = self.entries()
        if any(entry.id == user_id for entry in entries):
            raise StackError(f"A NATS credential named {user_id} exists already")
        seed, public = new_nkey()
        self._save([*entries, BrokerUser(id=user_id, source=source, nkey=public)])
        return seed

    def revoke(self, user_id: str) -> None:
        entries = self.entries()
        if all(entry.id != user_id for entry in entries):
            raise StackError(f"No NATS credential is named {user_id}")
        self._save([entry for entry in entries if entry.id != user_id])

    def _save(self, entries: Sequence[BrokerUser]) -> None:
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(self.file, _USERS.dump_json(list(entries), indent=1).decode())


def authorization(user: str, password: str, partners: Sequence[BrokerUser]) -> str:
    """The `authorization` block of nats-server: the services' own user, and each partner in its cage."""
    lines = [f"{{user: {json.dumps(user)}, password: {json.dumps(password)}}}"]
    for partner in partners:
        publish = json.dumps([intake_subject(partner.source)])
        subscribe = json.dumps([f"{inbox_of(partner.source)}.>"])
        lines.append(
            f"{{nkey: {json.dumps(partner.nkey)}, permissions: "
            f"{{publish: {{allow: {publish}}}, subscribe: {{allow: {subscribe}}}}}}}"
        )
    return "authorization {\n  users: [\n    " + "\n    ".join(lines) + "\n  ]\n}\n"


def new_nkey() -> tuple[str, str]:
    """Seed and public key of a new user, in the encoding every NATS client reads."""
    raw = secrets.token_bytes(32)
    public = Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
    # A seed carries its own prefix and that of the kind of key, five bits each, before the 32 bytes.
    prefix = bytes([_SEED | (_USER >> 5), (_USER & 31) << 3])
    return _encoded(prefix + raw), _encoded(bytes([_USER]) + public)


def _encoded(content: bytes) -> str:
    return b32encode(content + _crc16(content).to_bytes(2, "little")).decode().rstrip("=")


def _crc16(content: bytes) -> int:
    """CRC-16/XMODEM."""
    crc = 0
    for byte in content:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc
