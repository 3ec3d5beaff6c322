"""What can be imported: the columns of each data set and the form of their values."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from services.customer.domain.relations import WORDS
from shared.contracts.customer.consents import ProofKind
from shared.contracts.events import Channel
from shared.contracts.events.stewardship import ConsentPurpose

_CODE = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_TEXT = r"^[^\x00-\x1f]{1,200}$"
_DATE = r"^(19|20|21)\d{2}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$"
_BOOL = r"^(true|false|1|0)$"
_MONEY = r"^-?\d{1,16}(\.\d{1,2})?$"
_TOKEN = r"^[^\x00-\x1f\x7f]{1,128}$"  # noqa: S105 - a pattern, not a secret

Kind = Literal["text", "day", "instant", "money"]

PROPERTY = "data."
"""Prefix of columns that become properties of an event's data."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a data set: the form its values must have."""

    pattern: str
    required: bool = False
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Dataset:
    """`properties`: columns `data.<name>` are taken besides the named ones, in any form."""

    columns: dict[str, Column] = field(default_factory=dict)
    properties: bool = False

    def column(self, name: str) -> Column | None:
        """The rule of a column; null when the data set has no such column."""
        if self.properties and name.startswith(PROPERTY):
            return _PROPERTY
        return self.columns.get(name)


_PROPERTY = Column(r"(?s)^.*$")
_DAY = Column(_DATE, kind="day")
_SOURCE = Column(r"^[a-z0-9][a-z0-9._-]{0,63}$", required=True)
_SOURCE_ID = Column(r"^[^\x00-\x1f]{1,128}$", required=True)
_ORG = Column(r"^[a-z0-9_]+(\.[a-z0-9_]+){0,7}$", required=True)

DATASETS: dict[str, Dataset] = {
    "customers": Dataset(
        {
            "source": _SOURCE,
            "source_id": _SOURCE_ID,
            "kind": Column(r"^(person|company)$", required=True),
            "name": Column(_TEXT, required=True),
            "id_number": Column(r"^[0-9A-Za-z-]{4,32}$"),
            "phone": Column(r"^\+?[0-9][0-9 -]{4,30}$"),
            "email": Column(r"^[^@\s]{1,64}@[^@\s]{1,190}$"),
            "address": Column(r"^[^\x00-\x1f]{0,500}$"),
            "gender": Column(r"^[FM]$"),
            "birth_date": _DAY,
            "occupation": Column(_TEXT),
            "industry": Column(_TEXT),
            "org": _ORG,
            "primary_manager": Column(_CODE),
            "backup_manager": Column(_CODE),
            "risk_level": Column(r"^C[1-5]$"),
            "risk_valid_until": _DAY,
            "customer_since": _DAY,
            "consent_call": Column(_BOOL),
            "consent_sms": Column(_BOOL),
            "consent_email": Column(_BOOL),
        }
    ),
    "holdings": Dataset(
        {
            "source": _SOURCE,
            "source_id": _SOURCE_ID,
            "account": Column(r"^[^\x00-\x1f]{1,64}$", required=True),
            "product": Column(_CODE, required=True),
            "balance": Column(_MONEY, required=True, kind="money"),
            "currency": Column(r"^[A-Z]{3}$", required=True),
            "as_of": Column(_DATE, required=True, kind="day"),
            "opened_on": _DAY,
            "matures_on": _DAY,
        }
    ),
    "ownership": Dataset(
        {
            "source": _SOURCE,
            "source_id": _SOURCE_ID,
            "org": _ORG,
            "primary_manager": Column(_CODE),
            "backup_manager": Column(_CODE),
        }
    ),
    "relations": Dataset(
        {
            "source": _SOURCE,
            "from_id": _SOURCE_ID,
            "to_id": _SOURCE_ID,
            "kind": Column(f"^({'|'.join(WORDS)})$", required=True),
            "valid_from": _DAY,
            "valid_to": _DAY,
            "share": Column(r"^(0(\.\d{1,6})?|1(\.0{1,6})?)$"),
            "strength": Column(r"^(0(\.\d{1,4})?|1(\.0{1,4})?)$"),
        }
    ),
    "consents": Dataset(
        {
            "source": _SOURCE,
            "source_id": _SOURCE_ID,
            "channel": Column(f"^({'|'.join(get_args(Channel))})$", required=True),
            "purpose": Column(f"^({'|'.join(get_args(ConsentPurpose))})$"),
            "granted": Column(_BOOL, required=True),
            "changed_at": Column(_INSTANT, required=True, kind="instant"),
            "valid_until": _DAY,
            "proof_kind": Column(f"^({'|'.join(get_args(ProofKind))})$"),
            "proof_hash": Column(r"^[0-9a-f]{64}$"),
            "proof_reference": Column(r"^[^\x00-\x1f]{1,500}$"),
        }
    ),
    "interactions": Dataset(
        {
            "id": Column(_TOKEN, required=True),
            "source": _SOURCE,
            "source_id": Column(_TOKEN),
            "at": Column(_INSTANT, required=True, kind="instant"),
            "kind": Column(r"^[a-z]{1,40}$", required=True),
            "direction": Column(r"^(in|out)$"),
            "by": Column(_CODE),
            "minutes": Column(r"^\d{1,4}(\.\d{1,2})?$"),
            "disposition": Column(_TEXT),
            "note": Column(r"(?s)^.+$"),
        }
    ),
    "events": Dataset(
        {
            "id": Column(_TOKEN, required=True),
            "source": _SOURCE,
            "type": Column(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,5}$", required=True),
            # Without one the event is set aside, not refused: somebody may know whose it is.
            "subject": Column(_TOKEN),
            "time": Column(_INSTANT, required=True, kind="instant"),
            "data": Column(r"(?s)^\s*\{.*\}\s*$"),
        },
        properties=True,
    ),
}
