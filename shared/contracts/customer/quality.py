"""Data quality: rules as data, what each customer's file lacks, and whose work it is."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Code, LocalText, Money, Number, OrgPath, Schema, Timestamp

QualityDimension = Literal["completeness", "validity", "freshness", "uniqueness"]
Severity = Literal["low", "medium", "high"]
TextField = Literal["name", "id_number", "phone", "email", "address", "occupation", "industry"]
ProfileField = Literal[
    "name",
    "id_number",
    "phone",
    "email",
    "address",
    "occupation",
    "industry",
    "gender",
    "birth_date",
    "risk_level",
    "risk_valid_until",
    "customer_since",
    "primary_manager",
    "backup_manager",
    "consents",
]
Days = Annotated[int, Field(ge=1, le=36_500)]
Years = Annotated[int, Field(ge=0, le=150)]


class Present(Schema):
    """The field is filled; for `consents` at least one channel was answered."""

    kind: Literal["present"]
    field: ProfileField


class MatchesPattern(Schema):
    """The whole value matches a regular expression (no look-around, no back-references)."""

    kind: Literal["pattern"]
    field: TextField
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=300)]


class ValidNumber(Schema):
    """`chinese_id`: 18 digits of GB 11643 with a real birth date and check digit; documents that begin with
    a letter are not checked. `credit_code`: GB 32100 with its check character. `phone`: a mainland mobile or
    land line, or an international number. `email`: one address with a dotted host. `matches_id`: birth date
    and gender are those the identity number tells.
    """

    kind: Literal["chinese_id", "credit_code", "phone", "email", "matches_id"]


class AgeBetween(Schema):
    """The age by `birth_date`, in full years, both ends included."""

    kind: Literal["age_between"]
    minimum: Years
    maximum: Years

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError("minimum must not exceed maximum")
        return self


class NotFuture(Schema):
    kind: Literal["not_future"]
    field: Literal["birth_date", "customer_since"]


class RiskValid(Schema):
    """The risk assessment has not expired."""

    kind: Literal["risk_valid"]


class UpdatedWithin(Schema):
    """Something of the file changed in the last days."""

    kind: Literal["updated_within"]
    days: Days


class Unique(Schema):
    """No other active customer of the bank has the same."""

    kind: Literal["unique"]
    field: Literal["id_number", "phone"]


Check = Annotated[
    Present | MatchesPattern | ValidNumber | AgeBetween | NotFuture | RiskValid | UpdatedWithin | Unique,
    Field(discriminator="kind"),
]


class QualityRuleWrite(Schema):
    """``PUT /v1/quality/rules/{code}``. All checks but `present` pass over what is not there."""

    name: LocalText
    advice: LocalText = Field(description="What to do about it")
    dimension: QualityDimension
    check: Check
    applies_to: Literal["person", "company", "all"] = "all"
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    severity: Severity = "medium"
    active: bool = True


class QualityRuleView(QualityRuleWrite):
    code: Code
    version: int


class FailingRule(Schema):
    """One rule a customer's file does not meet, and what to do."""

    code: Code
    name: LocalText
    advice: LocalText
    dimension: QualityDimension
    severity: Severity
    weight: int


class QualityScores(Schema):
    """Per cent of the weight of the rules that apply; null where none does."""

    score: Number | None
    completeness: Number | None
    validity: Number | None
    freshness: Number | None
    uniqueness: Number | None


class CustomerQuality(QualityScores):
    """``GET /v1/customers/{id}/quality``: the file as it is at this moment."""

    customer_id: UUID
    version: int = Field(description="Version of the customer this is about")
    failing: list[FailingRule]


class QualityGroup(QualityScores):
    """Averages over the customers of a unit (with the units below) or of a primary manager."""

    org: OrgPath | None = None
    manager: Code | None = None
    customers: int


class QualityPoint(QualityScores):
    day: date
    customers: int


class RuleCount(Schema):
    code: Code
    name: LocalText
    customers: int


class QualitySummary(QualityScores):
    """``GET /v1/quality/summary``; groups are worst first, at most 1,000."""

    customers: int
    groups: list[QualityGroup]
    failing: list[RuleCount]
    trend: list[QualityPoint]
    evaluated_at: Timestamp | None = Field(description="When the oldest of these results was found")


class WorklistItem(Schema):
    """A customer whose file wants work. `priority` = (100 − score) × (1 + contribution of the last month).

    A negative contribution counts as none, as does a bank without value runs.
    """

    customer_id: UUID
    org: OrgPath
    primary_manager: Code | None
    score: Number
    contribution: Money
    priority: Number
    failing: list[FailingRule]
