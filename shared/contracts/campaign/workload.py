"""How much managers can do in a day, and what they have to do."""

from typing import Annotated

from pydantic import Field

from shared.contracts.base import Code, OrgPath, Schema, Timestamp


class CapacityWrite(Schema):
    """`PUT /v1/managers/{manager}/capacity`: for campaign contacts, on a working day."""

    minutes_per_day: Annotated[int, Field(ge=0, le=1440)]


class CapacityView(Schema):
    manager: Code
    minutes_per_day: int
    own: bool = Field(description="False: what the installation's settings say")
    changed_at: Timestamp | None
    changed_by: str | None
    version: int = Field(description="0 while the manager has no capacity of their own")


class Workload(Schema):
    """Open tasks of one manager."""

    manager: Code
    org: OrgPath
    open: int
    due_today: int
    overdue: int
    escalated: int
    beyond_capacity: int = Field(description="Planned when no day until their campaign's end had room")
    minutes_per_day: int
    away: bool = Field(description="Absent today")
