"""Names of uploaded files at rest: people name files after people."""

import base64
from uuid import UUID

from services.customer.domain.vault import Vault

_SEALED = "sealed:"
_PURPOSE = "import"


def seal_name(vault: Vault, import_id: UUID, name: str) -> str:
    """As text, bound to the import it belongs to."""
    return _SEALED + base64.b64encode(vault.seal_waiting(_PURPOSE, str(import_id), name.encode())).decode()


def open_name(vault: Vault, import_id: UUID, stored: str) -> str:
    """The name as given; imports of the first release have theirs in the clear."""
    if not stored.startswith(_SEALED):
        return stored
    sealed = base64.b64decode(stored.removeprefix(_SEALED))
    return vault.open_waiting(_PURPOSE, str(import_id), sealed).decode()
