"""Events about what models expect of customers."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, Key, Money, OrgPath, Schema, Share, Timestamp
from shared.contracts.events.customer import CustomerKeyed
from shared.contracts.events.envelope import BATCH_ITEMS


class RaisedWarning(Schema):
    """One customer whom a run of a churn model expects to lose; told once per run."""

    warning_id: UUID
    customer_id: UUID
    org: OrgPath
    primary_manager: Code | None = None
    model: Key
    run_id: UUID
    probability: Share
    at_stake: Money
    reasons: Annotated[list[Key], Field(description="Features that speak for it, strongest first")]
    raised_at: Timestamp


class ChurnWarningRaised(CustomerKeyed):
    SUBJECT: ClassVar[str] = "segmentation.churn_warning_raised"
    warnings: Annotated[list[RaisedWarning], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.warnings[0].customer_id
