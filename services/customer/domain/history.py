"""What one version of a customer changed against the one before, and why, as the person's secret."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from services.customer.domain.vault import FIELDS, SealBrokenError, Vault

PLAIN_FIELDS = (
    "kind",
    "status",
    "merged_into",
    "org",
    "primary_manager",
    "backup_manager",
    "gender",
    "birth_date",
    "occupation",
    "industry",
    "risk_level",
    "risk_valid_until",
    "customer_since",
    "consents",
)
HISTORIC_FIELDS = (*FIELDS, *PLAIN_FIELDS)

_SEALED = "sealed:"


def changes(
    before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> Iterator[tuple[str, object, object]]:
    """(field, before, after) of what differs, in the order of HISTORIC_FIELDS; a first version gives all."""
    for field in HISTORIC_FIELDS:
        old, new = (before or {}).get(field), after.get(field)
        if old != new and not (before is None and new in (None, {})):
            yield field, old, new


def seal_reason(vault: Vault, customer_id: UUID, wrapped_key: bytes, reason: str) -> str:
    """What people type may name the person: kept under the person's key, as text."""
    return _SEALED + base64.b64encode(vault.seal_bytes(customer_id, wrapped_key, reason.encode())).decode()


def open_reason(vault: Vault, customer_id: UUID, wrapped_key: bytes | None, stored: str | None) -> str | None:
    """The reason as given; null when there was none or the person was erased."""
    if stored is None or not stored.startswith(_SEALED):
        return stored
    if wrapped_key is None:
        return None
    try:
        return vault.open_bytes(
            customer_id, wrapped_key, base64.b64decode(stored.removeprefix(_SEALED))
        ).decode()
    except (SealBrokenError, binascii.Error):
        return None
