"""What every contract is made of: the base model, pages, problems and the field types."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
)

T = TypeVar("T")


class Schema(BaseModel):
    """Base of every request, response and event: unknown fields are refused, not ignored."""

    model_config = ConfigDict(extra="forbid", str_max_length=10_000, ser_json_bytes="base64")


_CENT = Decimal("0.01")
_PLACES = -2


def _plain(value: Decimal) -> str:
    return format(value, "f")


def _to_the_cent(value: Decimal) -> str:
    """What the database divided carries zeros far behind the cents."""
    exponent = value.as_tuple().exponent
    return _plain(value.quantize(_CENT) if isinstance(exponent, int) and exponent < _PLACES else value)


Money = Annotated[
    Decimal,
    Field(max_digits=20, decimal_places=2, allow_inf_nan=False, examples=["1200.00"]),
    PlainSerializer(_to_the_cent, return_type=str, when_used="json"),
]
Number = Annotated[
    Decimal,
    Field(max_digits=30, allow_inf_nan=False, examples=["0.0125"]),
    PlainSerializer(_plain, return_type=str, when_used="json"),
]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=["CNY"])]
Key = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,79}$"),
    Field(description="Natural key: lower case letters, digits, '_', '.', '-'", examples=["wealth-50plus"]),
]
Code = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"), Field(examples=["S0012"])
]
OrgPath = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+){0,7}$", max_length=200),
    Field(description="Dotted path from head office down", examples=["hq.sh.pudong"]),
]
_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (2, 9999))
# Not the whole range of the type: at its ends a time has no equal in other zones.
Timestamp = Annotated[
    AwareDatetime, Field(ge=_FIRST, lt=_LAST, description="RFC 3339 with offset, years 2 to 9998")
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Note = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]


class LocalText(Schema):
    """A text for people, in Chinese and English."""

    zh: Name
    en: Name


class Page(Schema, Generic[T]):
    items: list[T]
    next_cursor: str | None = Field(None, description="Pass as `cursor` for the next page; null at the end")


class ProblemItem(Schema):
    pointer: str = Field(description="JSON pointer into the request", examples=["/people/owner"])
    detail: str = Field(examples=["is required"])


class Problem(Schema):
    """RFC 9457 problem document."""

    type: str = Field(examples=["/problems/invalid"])
    title: str = Field(examples=["The request is not valid"])
    status: int = Field(examples=[422])
    detail: str | None = None
    instance: str | None = Field(None, description="Request id; the same as in the logs")
    errors: list[ProblemItem] | None = None


class JobView(Schema):
    """Background work as its caller sees it."""

    id: UUID
    task: str
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    progress: Annotated[float, Field(ge=0, le=1)] = 0
    step: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    result: dict[str, JsonValue] | None = None
    problem: Problem | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class AuditEntryView(Schema):
    seq: int
    at: datetime
    principal: str
    action: str
    object: str
    org_path: str
    detail: dict[str, JsonValue]


class AuditVerification(Schema):
    entries: int = Field(description="Entries that follow from one another")
    intact: bool
    broken_at: int | None = Field(None, description="First entry that does not follow from the one before")


class Check(Schema):
    name: str
    ok: bool
    detail: str | None = Field(None, description="What is wrong")


class Readiness(Schema):
    ready: bool
    checks: list[Check]
