"""What branch heads tell managers of their contacts."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, Schema, Timestamp
from shared.contracts.campaign.vocabulary import LongText


class CoachingNoteWrite(Schema):
    """For the manager who has the task."""

    text: Annotated[LongText, Field(description="No personal data: long numbers and addresses are blotted")]
    attempt: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="Number of the attempt it speaks of"
    )


class CoachingNoteView(Schema):
    id: UUID
    task_id: UUID
    customer_id: UUID
    attempt: int | None
    manager: Code
    text: str
    created_at: Timestamp
    created_by: str
    acknowledged_at: Timestamp | None
    version: int
