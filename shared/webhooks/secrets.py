"""Webhook secrets at rest: sealed by the bank's webhook key, bound to service and endpoint."""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import Unavailable
from shared.service import Runtime

_NONCE = 12
_KEY = 32


class SecretLostError(Exception):
    """The key in `HUANYING_WEBHOOK_KEY_FILE` is not the one the secret was sealed with: rotate the secret."""


class SecretBox:
    """Seals and opens signing keys; each service has a key of its own, derived from the bank's."""

    def __init__(self, master_key: bytes, service: str) -> None:
        derive = HKDF(algorithm=SHA256(), length=_KEY, salt=None, info=f"webhooks {service}".encode())
        self._seal = AESGCM(derive.derive(master_key))

    def new(self, endpoint_id: UUID) -> tuple[bytes, bytes]:
        """A fresh signing key of 32 bytes, and what to store of it."""
        key = os.urandom(_KEY)
        return key, self.seal(endpoint_id, key)

    def seal(self, owner_id: UUID, secret: bytes) -> bytes:
        """What to store of a secret that was agreed with somebody else; only its owner's id opens it."""
        nonce = os.urandom(_NONCE)
        return nonce + self._seal.encrypt(nonce, secret, owner_id.bytes)

    def open(self, endpoint_id: UUID, sealed: bytes) -> bytes:
        try:
            return self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], endpoint_id.bytes)
        except InvalidTag as error:
            raise SecretLostError from error


def secret_box(runtime: Runtime) -> SecretBox:
    """Read when needed: operators may put the file in place while the service runs."""
    key = runtime.settings.secret(runtime.settings.webhook_key_file)
    if key is None:
        raise Unavailable("Webhooks need HUANYING_WEBHOOK_KEY_FILE, which this installation does not set.")
    return SecretBox(bytes.fromhex(key), runtime.service.name)
