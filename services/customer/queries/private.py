"""The private properties of events, opened for those who read the customer."""

from base64 import b64decode
from typing import Any
from uuid import UUID

import orjson

from services.customer.domain.vault import Vault


def opened_private(
    vault: Vault, home: UUID, wrapped_key: bytes | None, sealed: bytes | None
) -> dict[str, Any]:
    """Nothing when there is nothing, or when the customer's key was destroyed."""
    if wrapped_key is None or sealed is None:
        return {}
    opened: dict[str, Any] = orjson.loads(vault.open_bytes(home, wrapped_key, sealed))
    return opened


def with_private(vault: Vault, item: dict[str, Any]) -> dict[str, Any]:
    """An event as SQL built it, `[home, key, ciphertext]` in `sealed` (base64) merged into its data."""
    sealed = item.pop("sealed", None)
    if sealed:
        home, key, ciphertext = sealed
        wrapped_key = b64decode(key) if key else None
        item["data"] |= opened_private(vault, UUID(home), wrapped_key, b64decode(ciphertext))
    return item
