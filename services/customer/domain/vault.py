"""Personal data at rest: a key per customer, wrapped by the bank's master key; AES-256-GCM throughout.

Destroying the wrapped key makes the customer's data unreadable everywhere it was ever copied,
backups included. Exact look-up works on keyed hashes, which do not reveal the value without the master key.
"""

import hmac
import json
import os
import re
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FIELDS = ("name", "id_number", "phone", "email", "address")
_NONCE = 12
_KEY = 32
_COUNTRY_CODE = re.compile(r"^(\+?86|0086)(?=1\d{10}$)")


class SealBrokenError(Exception):
    """The ciphertext does not belong to this key or this customer."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is stored: `wrapped_key` apart from `pii`, so that erasing is deleting one small row."""

    wrapped_key: bytes
    pii: bytes
    digest: bytes


class Vault:
    """Seals, opens and hashes; holds the master key of 32 bytes in memory only."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != _KEY:
            message = "the master key must be 32 bytes"
            raise ValueError(message)
        self._wrap = AESGCM(_derive(master_key, "wrap"))
        self._lookup_key = _derive(master_key, "lookup")
        self._waiting = AESGCM(_derive(master_key, "waiting"))

    def seal(
        self, customer_id: UUID, personal: dict[str, str | None], wrapped_key: bytes | None = None
    ) -> Sealed:
        """Encrypt under the customer's key, a fresh one when there is none yet.

        The key stays the same for life, so that what was sealed before stays readable until it is destroyed.
        The customer's id is bound in: rows cannot be swapped. SealBrokenError when the key is another's.
        """
        plain = canonical(personal)
        if wrapped_key is None:
            key = os.urandom(_KEY)
            wrapped_key, sealer = _encrypt(self._wrap, key, customer_id.bytes), AESGCM(key)
        else:
            sealer = self._unwrap(customer_id, wrapped_key)
        return Sealed(
            wrapped_key=wrapped_key,
            pii=_encrypt(sealer, plain, customer_id.bytes),
            digest=self.keyed_hash("digest", plain),
        )

    def open(self, customer_id: UUID, wrapped_key: bytes, pii: bytes) -> dict[str, str | None]:
        """The personal fields; SealBrokenError when key, data and customer do not belong together."""
        stored: dict[str, str] = json.loads(self.open_bytes(customer_id, wrapped_key, pii))
        return {field: stored.get(field) for field in FIELDS}

    def seal_bytes(self, customer_id: UUID, wrapped_key: bytes, plain: bytes) -> bytes:
        """Anything else about the customer under its key: private event properties, notes."""
        return _encrypt(self._unwrap(customer_id, wrapped_key), plain, customer_id.bytes)

    def open_bytes(self, customer_id: UUID, wrapped_key: bytes, sealed: bytes) -> bytes:
        """What `seal_bytes` was given; SealBrokenError when key, data and customer do not belong together."""
        return _decrypt(self._unwrap(customer_id, wrapped_key), sealed, customer_id.bytes)

    def seal_waiting(self, source: str, source_id: str, plain: bytes) -> bytes:
        """Data of a customer who has not arrived and so has no key: bound to its source identity."""
        return _encrypt(self._waiting, plain, _identity(source, source_id))

    def open_waiting(self, source: str, source_id: str, sealed: bytes) -> bytes:
        """What `seal_waiting` was given; SealBrokenError for another identity."""
        return _decrypt(self._waiting, sealed, _identity(source, source_id))

    def digest(self, personal: dict[str, str | None]) -> bytes:
        """Equal for equal data: tells whether anything changed without opening the stored copy."""
        return self.keyed_hash("digest", canonical(personal))

    def phone_hash(self, phone: str | None) -> bytes | None:
        return self.keyed_hash("phone", normal_phone(phone).encode()) if phone else None

    def id_hash(self, id_number: str | None) -> bytes | None:
        return self.keyed_hash("id", normal_id(id_number).encode()) if id_number else None

    def keyed_hash(self, purpose: str, value: bytes) -> bytes:
        """32 bytes, equal for equal values of one purpose; tells nothing without the master key."""
        return hmac.digest(self._lookup_key, purpose.encode() + b":" + value, "sha256")

    def _unwrap(self, customer_id: UUID, wrapped_key: bytes) -> AESGCM:
        return AESGCM(_decrypt(self._wrap, wrapped_key, customer_id.bytes))


def _encrypt(key: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + key.encrypt(nonce, plain, bound)


def _decrypt(key: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    try:
        return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
    except InvalidTag as error:
        raise SealBrokenError("key, data and customer do not belong together") from error


def _identity(source: str, source_id: str) -> bytes:
    return f"{source}\0{source_id}".encode()


def canonical(personal: dict[str, str | None]) -> bytes:
    """Present fields in fixed order as JSON."""
    present = {field: value for field in FIELDS if (value := personal.get(field))}
    return orjson.dumps(present)


def normal_phone(phone: str) -> str:
    """Digits without separators and without China's country code."""
    return _COUNTRY_CODE.sub("", phone.replace(" ", "").replace("-", ""))


def normal_id(id_number: str) -> str:
    """Upper case without separators (the last digit of a Chinese id number may be ``x``)."""
    return id_number.replace(" ", "").replace("-", "").upper()


def _derive(master_key: bytes, purpose: str) -> bytes:
    return hmac.digest(master_key, f"huanying/customer/{purpose}/1".encode(), sha256)
