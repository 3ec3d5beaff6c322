"""Match keys: keyed hashes by which the same person is found again without reading anybody's data.

A name is compared in its normal form: compatibility characters unified, case folded, letters, digits and
ideographs only ("Li  Wei." = "liwei"). Its pieces are all pairs of neighbouring characters and, as one
ideograph is a word, every single ideograph: a part of a name has only pieces the whole name has. What they
give away is written down in docs/adr/0011.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from services.customer.domain.vault import Vault

MATCH_VERSION = 1
"""Of the normal form and the pieces. A migration that clears it has the keys made anew in the background."""

_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN_LEAST = 3
_BYTES = 8


class MatchKeys(NamedTuple):
    """Null where there is nothing to compare."""

    id_hash: bytes | None
    phone_hash: bytes | None
    name_key: int | None
    name_grams: list[int] | None


def match_keys(vault: Vault, personal: dict[str, str | None]) -> MatchKeys:
    """The keys of one customer's personal data."""
    name = normal_name(personal.get("name") or "")
    return MatchKeys(
        id_hash=vault.id_hash(personal.get("id_number")),
        phone_hash=vault.phone_hash(personal.get("phone")),
        name_key=_hash(vault, "name", name) if name else None,
        name_grams=sorted(_piece(vault, piece) for piece in pieces(name)) if name else None,
    )


def search_keys(vault: Vault, part: str) -> list[int] | None:
    """What every name with this part has; null when the part is too short to look for."""
    text = normal_name(part)
    if not text or (len(text) < _LATIN_LEAST and not _IDEOGRAPH.search(text)):
        return None
    wanted = {text} if len(text) == 1 else _pairs(text)
    return sorted(_piece(vault, piece) for piece in wanted)


def array_text(numbers: list[int] | None) -> str | None:
    """As PostgreSQL writes an array."""
    return None if numbers is None else "{" + ",".join(map(str, numbers)) + "}"


def normal_name(name: str) -> str:
    """Letters, digits and ideographs in one form and case."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def pieces(normal: str) -> set[str]:
    """All that may be looked for in a normal name."""
    return _pairs(normal).union(_IDEOGRAPH.findall(normal))


def _pairs(text: str) -> set[str]:
    return {text[i : i + 2] for i in range(len(text) - 1)}


@lru_cache(maxsize=50_000)
def _piece(vault: Vault, piece: str) -> int:
    return _hash(vault, "name-piece", piece)


def _hash(vault: Vault, purpose: str, text: str) -> int:
    return int.from_bytes(vault.keyed_hash(purpose, text.encode())[:_BYTES], "big", signed=True)
