"""One customer: created, changed, read, looked up."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Code, OrgPath, Schema, Timestamp
from shared.contracts.customer.vocabulary import (
    AnyStatus,
    Consents,
    CustomerKind,
    CustomerStatus,
    Gender,
    Reason,
    RiskLevel,
    SourceIdentity,
    Text,
)


class PersonalData(Schema):
    """Data encrypted with the customer's own key."""

    name: Text | None = None
    id_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{4,32}$")] | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 -]{4,30}$")] | None = None
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")] | None = None
    address: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f]*$")] | None = None


class Attributes(Schema):
    """Non-personal attributes every service may hold."""

    gender: Gender | None = None
    birth_date: date | None = None
    occupation: Text | None = None
    industry: Text | None = None
    risk_level: RiskLevel | None = None
    risk_valid_until: date | None = None
    customer_since: date | None = None


class _Managed(Schema):
    primary_manager: Code | None = None
    backup_manager: Code | None = None

    @model_validator(mode="after")
    def managers_differ(self) -> Self:
        if self.primary_manager is not None and self.primary_manager == self.backup_manager:
            raise ValueError("backup_manager must differ from primary_manager")
        return self


class CustomerCreate(PersonalData, Attributes, _Managed):
    """``POST /v1/customers``."""

    kind: CustomerKind
    name: Text
    identities: Annotated[list[SourceIdentity], Field(min_length=1, max_length=50)]
    org: OrgPath
    consents: Consents = Field(default_factory=dict)


class CustomerPatch(PersonalData, Attributes):
    """``PATCH /v1/customers/{id}``: absent = unchanged, null = cleared (except name and status)."""

    status: CustomerStatus | None = None
    consents: Consents | None = None
    reason: Reason | None = Field(
        default=None, description="Why, for the history of the customer; sealed like personal data"
    )

    @model_validator(mode="after")
    def required_stay(self) -> Self:
        """An explicit null must not erase what a customer cannot be without."""
        cleared = [
            f
            for f in ("name", "status", "consents")
            if f in self.model_fields_set and getattr(self, f) is None
        ]
        if cleared:
            raise ValueError(f"{', '.join(cleared)} cannot be null")
        return self


class CustomerView(PersonalData, Attributes):
    """One customer; the personal fields are masked unless ``masked`` is false."""

    # Masked values ("138****1234") do not have the form of the values they stand for.
    name: str | None = None
    id_number: str | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    id: UUID
    ordinal: int
    version: int
    kind: CustomerKind
    status: AnyStatus
    merged_into: UUID | None = Field(
        default=None, description="The survivor to follow, when `status` is merged"
    )
    identities: Annotated[list[SourceIdentity], Field(description="Its own and those of all merged into it")]
    org: OrgPath
    primary_manager: Code | None
    backup_manager: Code | None
    consents: Consents
    masked: bool
    created_at: Timestamp
    updated_at: Timestamp


class OwnershipWrite(_Managed):
    """``PUT /v1/customers/{id}/ownership``: all three at once, If-Match required."""

    org: OrgPath
    primary_manager: Code | None
    backup_manager: Code | None


class ResolveRequest(Schema):
    """``POST /v1/customers:resolve``."""

    items: Annotated[list[SourceIdentity], Field(min_length=1, max_length=5000)]


class ResolvedCustomer(SourceIdentity):
    """``customer_id`` is null when the caller sees no customer under that identity."""

    customer_id: UUID | None
    ordinal: int | None


class ResolveResult(Schema):
    """Same order and length as the request."""

    items: list[ResolvedCustomer]
