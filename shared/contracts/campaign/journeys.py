"""Journeys: what follows the first contact of an arm."""

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, OrgPath, Schema, Timestamp
from shared.contracts.campaign.vocabulary import MaterialRef, ScriptRef, SuppressionReason
from shared.contracts.events import ContactOutcome

FIRST_STEP = "first"
"""The step of an arm's own contact; the steps of its journey have other keys."""

_Next: TypeAlias = Annotated[
    Key | None, Field(description="Key of a later step; null: the journey ends here for the customer")
]
_Minutes: TypeAlias = Annotated[int, Field(ge=1, le=60 * 24 * 365)]


class _Step(Schema):
    key: Key


class ContactStep(_Step):
    """One more contact, decided on by the contact policy as it then is."""

    kind: Literal["contact"] = "contact"
    channel: Key = Field(examples=["manager_task"])
    script: ScriptRef
    materials: Annotated[list[MaterialRef], Field(max_length=10)] = Field(default_factory=list)
    next: _Next = Field(None, description="Once it is over")
    otherwise: _Next = Field(
        None, description="When a rule forbade it, it ran out or the message did not arrive: the fallback"
    )


class WaitStep(_Step):
    kind: Literal["wait"] = "wait"
    minutes: _Minutes
    next: _Next


class UntilStep(_Step):
    """Waits for the customer to be in a segment, or out of it."""

    kind: Literal["until"] = "until"
    segment: Key
    member: bool = Field(True, description="false: until they are out of it")
    minutes: _Minutes = Field(description="No longer than this")
    next: _Next
    otherwise: _Next = Field(None, description="When the time is over")


class BranchCase(Schema):
    """Holds when everything it names does."""

    outcomes: Annotated[list[ContactOutcome], Field(max_length=20)] = Field(
        default_factory=list, description="What came of the last contact, one of these; empty: anything"
    )
    segment: Key | None = None
    member: bool = Field(True, description="false: they are not in the segment")
    next: _Next


class BranchStep(_Step):
    """The first case that holds decides."""

    kind: Literal["branch"] = "branch"
    cases: Annotated[list[BranchCase], Field(min_length=1, max_length=10)]
    otherwise: _Next = Field(None, description="When none holds")


class SplitPath(Schema):
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    next: _Next


class SplitStep(_Step):
    """Parts the customers by a salted hash; the shares add up to 1."""

    kind: Literal["split"] = "split"
    paths: Annotated[list[SplitPath], Field(min_length=2, max_length=8)]


JourneyStep: TypeAlias = Annotated[
    ContactStep | WaitStep | UntilStep | BranchStep | SplitStep, Field(discriminator="kind")
]


def leads(step: JourneyStep) -> Iterator[tuple[str, str | None]]:
    """Where a step can lead, each with its pointer within the step."""
    match step:
        case ContactStep() | UntilStep():
            yield "next", step.next
            yield "otherwise", step.otherwise
        case WaitStep():
            yield "next", step.next
        case BranchStep():
            for index, each in enumerate(step.cases):
                yield f"cases/{index}/next", each.next
            yield "otherwise", step.otherwise
        case SplitStep():
            for index, path in enumerate(step.paths):
                yield f"paths/{index}/next", path.next


class Journey(Schema):
    """Begins for each customer of the arm when their first contact is over. A step leads to later ones only,
    so that nobody goes round in circles. It ends at once for whoever accepts the offer, and for whoever is
    in one of the scheme's `exit_segments`.
    """

    steps: Annotated[list[JourneyStep], Field(min_length=1, max_length=40)]


JourneyEnding = Literal["finished", "converted", "exit", "merged", "stopped"]
"""`stopped`: the campaign ended first."""


class JourneyStepProgress(Schema):
    step: Key
    kind: str
    reached: int = Field(description="Customers who came to it")
    here: int = Field(description="Of them still at it")
    contacts: int = Field(0, description="Made or to be made here")
    refused: dict[SuppressionReason, int] = Field(default_factory=dict)
    outcomes: dict[ContactOutcome, int] = Field(default_factory=dict)


class JourneyProgress(Schema):
    """Where the customers of one arm stand. Counts cover the caller's organisations."""

    arm: Key
    running: int
    endings: dict[JourneyEnding, int]
    steps: list[JourneyStepProgress]


class CampaignJourneys(Schema):
    """Of every arm with a journey; before the launch, with zeros."""

    arms: list[JourneyProgress]


class JourneyPosition(Schema):
    """Where one customer stands."""

    contact_id: UUID = Field(description="Their first contact")
    customer_id: UUID
    branch: OrgPath
    arm: Key
    step: Key
    state: Literal["due", "waiting", "contacting", "ended"]
    until: Timestamp | None = Field(description="When a wait is over at the latest")
    entered_at: Timestamp = Field(description="When they came to the step")
    ending: JourneyEnding | None
    path: list[Key] = Field(description="The steps they came to, in order")
