"""Events about target-customer profiles."""

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import LocalText, OrgPath, Schema, Share, Timestamp
from shared.contracts.events.envelope import EventData


class DriftedShare(Schema):
    """One share that has fallen below what was declared."""

    measure: Literal["new_customers", "contacts", "minutes", "campaign_contacts", "campaign_cost"]
    share: Share
    low: Share
    high: Share
    tolerance: Share
    evidence: Literal["interval", "two_periods"]


class TargetDriftDetected(EventData):
    """An organisation unit has wandered off its target customers; told once per profile, unit and month."""

    SUBJECT: ClassVar[str] = "segmentation.target_drift_detected"
    profile_id: UUID
    version: int
    name: LocalText
    org: OrgPath
    period: Annotated[date, Field(description="First day of the month")]
    shares: Annotated[list[DriftedShare], Field(min_length=1)]
    detected_at: Timestamp

    def partition_key(self) -> str:
        return str(self.profile_id)
