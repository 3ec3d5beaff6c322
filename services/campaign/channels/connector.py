"""What every connector takes and answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from shared.contracts.campaign.channels import ChannelKind, MessageLanguage, SubmissionOutcome

SUBMIT_SECONDS = 60.0
"""No `submit` takes longer, but for the moment it needs to write down what it knows."""

TEST_CAMPAIGN = UUID(int=0)
"""Of messages that only try a channel."""


@dataclass(frozen=True)
class OutboundMessage:
    id: UUID
    """Of the contact, and what the provider knows a repetition by."""
    campaign_id: UUID
    channel: str
    kind: ChannelKind
    recipient: str
    """A phone number, a mail address, or the customer's id where the provider finds the device itself."""
    subject: str | None
    body: str
    language: MessageLanguage


@dataclass(frozen=True)
class Submission:
    """`refused`: the provider says never. `failed`: certainly not taken, so it may be tried again. `unknown`:
    the answer was lost after the request may have been taken.
    """

    outcome: SubmissionOutcome
    reference: str | None = None
    detail: str | None = None
    """For people, in one line; without the recipient."""
    retry_after: float | None = None
    """Seconds the provider asked to be left alone; only with `failed`."""


class Connector(Protocol):
    batch: int
    """Messages of one `submit` at most."""

    async def submit(self, messages: Sequence[OutboundMessage]) -> Sequence[Submission]:
        """In the order of `messages`, one for each. Never raises for what the provider does."""
        ...
