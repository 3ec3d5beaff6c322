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

    def seal(self, customer_id: UUID, personal: dict[str, str | None]) -> Sealed:
        """Encrypt under a fresh key. The customer's id is bound in: rows cannot be swapped."""
        plain = canonical(personal)
        random = os.urandom(_KEY + 2 * _NONCE)
        key, first, second = random[:_KEY], random[_KEY : _KEY + _NONCE], random[_KEY + _NONCE :]
        return Sealed(
            wrapped_key=first + self._wrap.encrypt(first, key, customer_id.bytes),
            pii=second + AESGCM(key).encrypt(second, plain, customer_id.bytes),
            digest=self._hmac(b"digest:" + plain),
        )

    def open(self, customer_id: UUID, wrapped_key: bytes, pii: bytes) -> dict[str, str | None]:
        """The personal fields; SealBrokenError when key, data and customer do not belong together."""
        try:
            key = self._wrap.decrypt(wrapped_key[:_NONCE], wrapped_key[_NONCE:], customer_id.bytes)
            plain = AESGCM(key).decrypt(pii[:_NONCE], pii[_NONCE:], customer_id.bytes)
        except InvalidTag as error:
            raise SealBrokenError(str(customer_id)) from error
        stored: dict[str, str] = json.loads(plain)
        return {field: stored.get(field) for field in FIELDS}

    def digest(self, personal: dict[str, str | None]) -> bytes:
        """Equal for equal data: tells whether anything changed without opening the stored copy."""
        return self._hmac(b"digest:" + canonical(personal))

    def phone_hash(self, phone: str | None) -> bytes | None:
        return self._hmac(b"phone:" + normal_phone(phone).encode()) if phone else None

    def id_hash(self, id_number: str | None) -> bytes | None:
        return self._hmac(b"id:" + normal_id(id_number).encode()) if id_number else None

    def _hmac(self, message: bytes) -> bytes:
        return hmac.digest(self._lookup_key, message, "sha256")


def canonical(personal: dict[str, str | None]) -> bytes:
    """Present fields in fixed order as JSON."""
    present = {field: value for field in FIELDS if (value := personal.get(field))}
    return json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode()


def normal_phone(phone: str) -> str:
    """Digits without separators and without China's country code."""
    return _COUNTRY_CODE.sub("", phone.replace(" ", "").replace("-", ""))


def normal_id(id_number: str) -> str:
    """Upper case without separators (the last digit of a Chinese id number may be ``x``)."""
    return id_number.replace(" ", "").replace("-", "").upper()


def _derive(master_key: bytes, purpose: str) -> bytes:
    return hmac.digest(master_key, f"huanying/customer/{purpose}/1".encode(), sha256)
