"""Activity targets and their attainment."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from shared.contracts.base import Code, OrgPath, Schema, Timestamp

ActivityPeriod = Literal["day", "week", "month"]
Activity = Literal["calls", "visits", "new_customers", "existing_customers", "opportunities"]
ActivityUnit = Literal["branch", "staff"]
Count = Annotated[int, Field(ge=0, le=1_000_000)]


class ActivityCounts(Schema):
    """null: no target."""

    calls: Count | None = Field(None, description="Attempts recorded")
    visits: Count | None = Field(None, description="Visits made")
    new_customers: Count | None = Field(
        None, description="Customers spoken to or visited who brought nothing before the period's month"
    )
    existing_customers: Count | None = Field(None, description="The other customers spoken to or visited")
    opportunities: Count | None = Field(None, description="Opportunities opened")


class ActivityTargetWrite(ActivityCounts):
    """`POST /v1/activity-targets`. Holds from its first day until the next of the same organisation, manager
    and period.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "org": "hq.sh.pudong",
                    "manager": "M001",
                    "period": "day",
                    "valid_from": "2027-01-01",
                    "calls": 20,
                    "new_customers": 3,
                    "existing_customers": 8,
                }
            ]
        }
    )
    org: OrgPath
    manager: Code | None = Field(None, description="null: of the whole organisation and all below it")
    period: ActivityPeriod
    valid_from: date

    @model_validator(mode="after")
    def _wants_something(self) -> Self:
        counts = (self.calls, self.visits, self.new_customers, self.existing_customers, self.opportunities)
        if all(count is None for count in counts):
            raise ValueError("name at least one count")
        return self


class ActivityTargetPatch(ActivityCounts):
    """Replaces what you name; null, when named: no target."""


class ActivityTargetView(ActivityCounts):
    id: UUID
    org: OrgPath
    manager: Code | None
    period: ActivityPeriod
    valid_from: date
    changed_at: Timestamp
    changed_by: str
    version: int


class Attained(Schema):
    activity: Activity
    done: int
    target: int | None
    attainment: float | None = Field(description="done / target; null without a target, or one of nothing")


class ManagerActivity(Schema):
    manager: Code | None = Field(description="null: the whole organisation")
    org: OrgPath
    activities: list[Attained]


class ActivityAttainment(Schema):
    """Counted from attempts, visits and opportunities; nothing is typed in."""

    period: ActivityPeriod
    first_day: date
    last_day: date
    items: list[ManagerActivity] = Field(
        description="The organisation, then its managers; or the branches or managers that were asked for"
    )
    left_off: int = Field(description="Beyond the limit")
