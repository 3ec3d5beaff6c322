"""When managers are away, and who stands in for them."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, OrgPath, Schema, Timestamp

AbsenceState = Literal["coming", "now", "over", "cancelled"]


class AbsenceWrite(Schema):
    """`POST /v1/absences`. A manager enters their own; a branch head that of any manager of the branch."""

    manager: Code | None = Field(None, description="For branch heads; without it, the caller's own")
    starts_on: date = Field(description="First day away")
    ends_on: date = Field(description="Last day away")
    substitute: Code | None = Field(
        None, description="Who stands in; without it, whoever else looks after each customer"
    )


class AbsencePatch(Schema):
    """Ends it sooner or later, or gives it another substitute; an absence that is over stays as it is."""

    starts_on: date | None = None
    ends_on: date | None = None
    substitute: Code | None = None


class AbsenceView(Schema):
    id: UUID
    manager: Code
    org: OrgPath
    starts_on: date
    ends_on: date
    substitute: Code | None
    state: AbsenceState
    due: int = Field(description="Open tasks of the manager that are due while away")
    moved: int = Field(description="Tasks that others have for it and nobody has touched since")
    created_at: Timestamp
    created_by: str
    version: int


class AbsenceReassign(Schema):
    dry_run: bool = Field(True, description="Count who would get how many; move nothing")


class Receiver(Schema):
    manager: Code
    tasks: int


class ReassignedTasks(Schema):
    """What moving the tasks of an absence means, or meant."""

    dry_run: bool
    tasks: int = Field(description="Open tasks that are due while the manager is away")
    moved: list[Receiver] = Field(description="By whom they go to")
    returned: int = Field(
        description="Nobody who looks after these customers is there: for the branch head to give to somebody"
    )
