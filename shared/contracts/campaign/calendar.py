"""The campaign calendar: what runs when, how many contacts a day brings, and who is asked twice."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, LocalText, OrgPath, Schema
from shared.contracts.campaign.vocabulary import CampaignStatus


class CalendarWave(Schema):
    """A wave on the day it is due."""

    wave: int
    on: date
    contacts: int | None = Field(description="Expected on that day; null where nothing is known of it")
    known_from: Literal["ledger", "audience", "segments"] | None = Field(
        description="`ledger`: contacts that were assigned; `audience`: of the frozen audience, less the "
        "hold-out; `segments`: at most, by the sizes of its segments over the whole bank"
    )


class CalendarCampaign(Schema):
    id: UUID
    key: Key
    name: LocalText
    status: CampaignStatus
    strategy: Key | None
    orgs: list[OrgPath]
    start: date
    end: date
    channels: list[Key]
    segments: list[Key]
    waves: list[CalendarWave] = Field(description="Those within the calendar's days")


class CalendarDay(Schema):
    day: date
    contacts: int
    campaigns: int = Field(description="With a wave due that day")


class CalendarOverlap(Schema):
    """Two campaigns that include the same segments on the same days."""

    first: UUID
    second: UUID
    segments: list[Key]
    start: date
    end: date


class Calendar(Schema):
    start: date
    end: date
    campaigns: list[CalendarCampaign] = Field(description="By first day")
    days: list[CalendarDay] = Field(description="Days on which waves are due")
    overlaps: list[CalendarOverlap]
    more: bool = Field(description="There are more campaigns than the calendar holds: ask for fewer days")
