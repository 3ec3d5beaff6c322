"""What managers say of a campaign, and what strategists answer."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, OrgPath, Schema, Timestamp
from shared.contracts.campaign.vocabulary import LongText, ScriptRef
from shared.contracts.events.feedback import FeedbackKind, FeedbackState, Rating


class FeedbackWrite(Schema):
    """`POST /v1/feedback`: of one task, or of the campaign as a whole."""

    task_id: UUID | None = None
    campaign_id: UUID | None = Field(None, description="Needed without `task_id`")
    arm: Key | None = Field(None, description="Whose script or offer, where a campaign has several arms")
    kind: FeedbackKind
    rating: Rating
    text: Annotated[
        LongText | None, Field(description="No personal data: long numbers and addresses are blotted")
    ] = None


class FeedbackAnswer(Schema):
    answer: LongText


class FeedbackView(Schema):
    id: UUID
    campaign_id: UUID
    campaign_key: Key
    task_id: UUID | None
    customer_id: UUID | None = Field(description="Of the task")
    org: OrgPath
    kind: FeedbackKind
    arm: Key | None
    script: ScriptRef | None
    offer: Key | None
    rating: Rating
    text: str | None
    given_at: Timestamp
    given_by: str
    state: FeedbackState
    answer: str | None
    answered_at: Timestamp | None
    answered_by: str | None
    closed_at: Timestamp | None
    version: int


class FeedbackCount(Schema):
    """Of one thing that was judged."""

    campaign_id: UUID
    campaign_key: Key
    kind: FeedbackKind
    script: ScriptRef | None
    offer: Key | None
    given: int
    open: int = Field(description="Not answered yet")
    mean: float = Field(description="Of the ratings, 1 to 5")
    ratings: Annotated[list[int], Field(min_length=5, max_length=5)] = Field(
        description="How often 1, 2, 3, 4 and 5 were given"
    )
