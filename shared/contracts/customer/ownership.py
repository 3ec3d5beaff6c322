"""Whose customer it is: branches with their shares, managers A and B, and how that came about."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, Number, OrgPath, Schema, Timestamp
from shared.contracts.customer.profile import OwnershipWrite
from shared.contracts.customer.vocabulary import Reason

BranchRole = Literal["lead", "co"]
OwnershipCause = Literal["assignment", "handover", "handover_undone", "import", "merge"]


class BranchShare(Schema):
    """主办行/协办行: one branch and its part of the customer's revenue."""

    org: OrgPath
    role: BranchRole
    share: Annotated[
        Number, Field(gt=0, le=1, decimal_places=6, description="A fraction; all together exactly 1")
    ]


class OwnershipAssignment(OwnershipWrite):
    """``PUT /v1/customers/{id}/ownership``, If-Match required.

    Without `branches` the shares stay as they are and the lead follows `org`; a new lead that shares the
    customer already trades places with the old one. With `branches` they are replaced: one lead, which is
    `org`, and shares of exactly 1 in all.
    """

    branches: Annotated[list[BranchShare], Field(min_length=1, max_length=50)] | None = None
    reason: Reason | None = Field(None, description="Kept with the change, sealed under the customer's key")


class OwnershipView(Schema):
    """The owners of a customer on a day. `branches` is the lead alone with 1 when nobody shares it."""

    customer_id: UUID
    version: int
    as_of: date
    org: OrgPath
    primary_manager: Code | None
    backup_manager: Code | None
    branches: list[BranchShare]


class OwnersThen(Schema):
    org: OrgPath
    primary_manager: Code | None
    backup_manager: Code | None


class OwnershipChangeView(Schema):
    """One change of owners: before, after, who, when, why and from which day on."""

    customer_id: UUID
    before: OwnersThen
    after: OwnersThen
    cause: OwnershipCause
    reason: str | None
    changed_by: str
    changed_at: Timestamp
    effective_on: date


class CoManaged(Schema):
    """A customer another branch leads and this one shares. Its file stays with the lead branch."""

    customer_id: UUID
    org: OrgPath
    share: Number
    since: date
