"""Every table that holds something about a customer, and what becomes of it when the person is erased.

One list for the copy a person may ask for, for the erasure and for its receipt. A test compares it with the
database: a table that refers to customers and is missing here fails it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Fate = Literal["delete", "blank", "keep"]


@dataclass(frozen=True, slots=True)
class Held:
    """`owners` are the columns that name a customer; the key of the first of them opens `sealed` columns."""

    table: str
    fate: Fate
    owners: tuple[str, ...] = ("customer_id",)
    blank: Mapping[str, str] = field(default_factory=dict)
    """Column → SQL that replaces it."""
    sealed: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    """Columns that mean nothing to a person: keys, hashes, ciphertexts; left out of the copy."""
    copied: bool = True

    @property
    def condition(self) -> str:
        return " OR ".join(f"{owner} = ANY(%(ids)b::uuid[])" for owner in self.owners)


_NOTHING = "NULL"
_NO_BYTES = "''::bytea"
_ATTRIBUTES = dict.fromkeys(
    ("gender", "birth_date", "occupation", "industry", "risk_level", "risk_valid_until", "customer_since"),
    _NOTHING,
)
_NO_CONSENTS = {"consents": "'{}'::jsonb"}

# The customer's own row comes first: changing it saves its last version, which is blanked with the others.
HELD = (
    Held(
        "customer",
        "blank",
        owners=("id",),
        blank={
            **_ATTRIBUTES,
            **_NO_CONSENTS,
            "risk_assessed_at": _NOTHING,
            "pii": _NO_BYTES,
            "pii_digest": _NO_BYTES,
            "id_hash": _NOTHING,
            "phone_hash": _NOTHING,
            "name_key": _NOTHING,
            "name_grams": _NOTHING,
            "status": "'erased'",
            "version": "version + 1",
            "updated_at": "%(now)s",
        },
        sealed=("pii",),
        secret=("pii_digest", "id_hash", "phone_hash", "name_key", "name_grams", "match_version"),
    ),
    Held(
        "customer_history",
        "blank",
        blank={**_ATTRIBUTES, **_NO_CONSENTS, "pii": _NO_BYTES, "change_reason": _NOTHING},
        copied=False,  # told field by field instead
    ),
    Held("source_identity", "delete", secret=("ordinal",)),
    Held("consent", "delete", secret=("expired",)),
    # Proof that the bank was allowed to do what it did; the reference to the document is sealed.
    Held("consent_entry", "keep", sealed=("proof_reference",)),
    Held("holding", "delete"),
    Held("holding_day", "delete"),
    Held("holding_day_superseded", "delete"),
    Held("customer_event", "delete", sealed=("sealed",), secret=("content_hash",)),
    Held("customer_contact", "delete"),
    Held("relationship", "delete", owners=("from_id", "to_id")),
    Held("customer_branch", "delete"),
    Held("ownership_change", "blank", blank={"reason": _NOTHING}, secret=("published",)),
    Held("handover_item", "keep"),
    Held("need_note", "delete", sealed=("sealed",)),
    Held("interaction", "delete", sealed=("sealed",)),
    Held("complaint", "delete", sealed=("sealed",)),
    # What a merge decided, without values: `sealed` cannot be opened any more.
    Held("merge", "keep", owners=("survivor_id",), sealed=("sealed", "reason", "undo_reason")),
    Held("merge_member", "keep"),
    Held("own_risk", "delete"),
    Held("duplicate", "delete", owners=("first_id", "second_id")),
    Held("quality_result", "delete"),
    # Amounts without a person: the bank's months must go on adding up.
    Held("customer_value", "keep"),
    Held("customer_potential", "delete"),
    Held("superseded_value", "keep"),
    Held("subject_export", "blank", blank={"content": _NOTHING, "state": "'erased'"}, secret=("content",)),
    Held("erasure", "keep"),
    Held("customer_key", "delete", copied=False),
)
