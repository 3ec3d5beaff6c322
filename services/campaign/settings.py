"""Configuration of the campaign service beyond what every service has."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field

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
    manager_cost_per_minute: Annotated[Decimal, Field(ge=0)] = Decimal("1.50")
    reservation_minutes: Annotated[int, Field(ge=1)] = 24 * 60
    """How long a contact that has begun holds a unit of its offer and its cost without a record."""
    launch_chunk: Annotated[int, Field(ge=1, le=100_000)] = 5_000
    """Members of an audience decided in one transaction."""
    release_every_seconds: Annotated[float, Field(gt=0)] = 2.0
    """How often the worker looks for starts and waves that are due."""
    drop_dir: Path | None = None
    """Directory in which channels by file put what they send; without it `drops` below `data_dir`."""
