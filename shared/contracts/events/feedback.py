"""What managers say of a campaign's list, script or offer."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, OrgPath, Timestamp
from shared.contracts.events.envelope import EventData

FeedbackKind = Literal["list", "script", "offer"]
FeedbackState = Literal["open", "answered", "closed"]
Rating = Annotated[int, Field(ge=1, le=5, description="1 is worst, 5 best")]


class FeedbackGiven(EventData):
    """Enough to count by what was judged; what was written and who wrote it stays in the campaign service."""

    SUBJECT: ClassVar[str] = "campaign.feedback_given"
    feedback_id: UUID
    campaign_id: UUID
    kind: FeedbackKind
    rating: Rating
    arm: Key | None = None
    script: str | None = Field(None, description="Version of the script, when it was judged")
    offer: Key | None = Field(None, description="The offer, when it was judged")
    branch: OrgPath
    given_at: Timestamp

    def partition_key(self) -> str:
        return str(self.campaign_id)
