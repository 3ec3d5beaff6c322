"""Configuration of the campaign service beyond what every service has."""

from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from services.campaign.domain.office_hours import OfficeHours
from services.campaign.domain.template_values import Language
from shared.settings import Settings


class CampaignSettings(Settings):
    contact_cap: Annotated[int, Field(ge=1)] = 2
    """Contacts a customer may get over all campaigns within `contact_cap_days`."""
    contact_cap_days: Annotated[int, Field(ge=1)] = 30
    global_hold_out: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Share of all customers that no campaign contacts: what the whole programme is measured against."""
    complaint_cool_down_days: Annotated[int, Field(ge=1)] = 90
    manager_minutes_per_day: Annotated[int, Field(ge=1)] = 60
    """Time a relationship manager has for campaign contacts on a working day."""
    absent_share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A manager who is away on more than this share of the days a campaign has left gets none of its work:
    whoever stands in does. Others do theirs on the days on which they are there."""
    manager_cost_per_minute: Annotated[Decimal, Field(ge=0)] = Decimal("1.50")
    reservation_minutes: Annotated[int, Field(ge=1)] = 24 * 60
    """How long a contact that has begun holds a unit of its offer and its cost without a record."""
    launch_chunk: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    """Members of an audience decided in one transaction."""
    message_batch: Annotated[int, Field(ge=1, le=500)] = 200
    """Messages of a channel claimed in one transaction."""
    message_lease_seconds: Annotated[float, Field(ge=1)] = 120.0
    """After so long a sender that has not said what became of its messages is taken for dead. Longer than
    any provider is waited for.
    """
    message_language: Language = "zh"
    send_every_seconds: Annotated[float, Field(gt=0)] = 0.5
    """How often the worker looks for messages that are due."""
    release_every_seconds: Annotated[float, Field(gt=0)] = 2.0
    """How often the worker looks for starts and waves that are due."""
    trigger_gather_seconds: Annotated[float, Field(ge=0)] = 0.05
    """What changes in several segments at once is told one after another: so long the worker waits for all
    of it before it decides on who moved.
    """
    trigger_settle_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Who moved and is not in the campaign's audience then is looked for once more so much later."""
    drop_dir: Path | None = None
    """Directory in which channels by file put what they send; without it `drops` below `data_dir`."""
    office_opens: time = time(9)
    office_closes: time = time(17)
    office_closed_on: frozenset[date] = frozenset()
    """Holidays, besides Saturdays and Sundays."""
    office_open_on: frozenset[date] = frozenset()
    """Weekends that are worked in stead of a holiday."""
    referral_answer_hours: Annotated[int, Field(ge=1, le=2000)] = 16
    """Office hours within which a referral is answered, or else lapses."""
    referral_result_hours: Annotated[int, Field(ge=1, le=2000)] = 240
    """Office hours from its acceptance within which a referral has a result, or else is overdue."""
    referral_referrer_share: Annotated[Decimal, Field(ge=0, le=1, decimal_places=4)] = Decimal("0.3")
    """Part of what is won that is credited to who referred, where a referral does not say otherwise."""

    @model_validator(mode="after")
    def opens_before_it_closes(self) -> Self:
        if self.office_opens >= self.office_closes:
            raise ValueError("office_opens must be before office_closes")
        return self

    @property
    def office_hours(self) -> OfficeHours:
        return OfficeHours(self.office_opens, self.office_closes, self.office_closed_on, self.office_open_on)
