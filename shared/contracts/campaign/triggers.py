"""Campaigns that a segment feeds: who enters or leaves it is decided on at once."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, OrgPath, Schema, Timestamp
from shared.contracts.campaign.vocabulary import LedgerState, SuppressionReason


class Trigger(Schema):
    """A campaign with a trigger freezes no audience at launch. From then until its last day, each customer
    who enters (or leaves) the segment and belongs to the audience is decided on at once, once per campaign.

    Only moves of customers count: by their facts, their profile or the passing of time. Who is in the
    segment at launch, and who comes or goes because the segment was published anew, evaluated anew for
    everybody, or because files were merged, does not.
    """

    segment: Key
    on: Literal["enter", "exit"] = "enter"
    on_pause: Annotated[
        Literal["hold", "drop"],
        Field(description="Who moves while the campaign is paused is decided on at `:resume`, or never"),
    ] = "hold"


class TriggerProgress(Schema):
    segment: Key
    on: Literal["enter", "exit"]
    on_pause: Literal["hold", "drop"]
    version: int = Field(description="The segment's, as approved; moves in another one do not count")
    outdated: bool = Field(
        description="The segment has a newer version or is archived: nobody is decided on any more"
    )
    opened_at: Timestamp = Field(description="Moves count from here on")
    waiting: int = Field(
        description="Moved and not decided on: the campaign is paused, or they are not known yet"
    )
    last_moved_at: Timestamp | None = Field(description="Of those decided on")


class TriggeredContact(Schema):
    """Somebody who moved, and what was decided."""

    customer_id: UUID
    segment: Key
    branch: OrgPath
    moved_at: Timestamp
    decided_at: Timestamp
    state: LedgerState
    reason: SuppressionReason | None
    arm: Key | None


class TriggerEstimate(Schema):
    """What the simulation of a campaign with a trigger counts. Of each customer the last move is known, so
    that it counts those who stayed where they moved to: more may have moved.
    """

    moved: int = Field(description="Customers who moved so since then and stayed, of all organisations")
    since: Timestamp | None = Field(
        description="At most 30 days ago; later if moves are known for less; null: none is known"
    )
