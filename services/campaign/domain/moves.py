"""Who joined which segment and who left it, as many changes tell it: columns, for statements that take them
all at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Self
from uuid import UUID

from shared.contracts.events import SegmentUpdated


@dataclass(frozen=True)
class Moves:
    """One row for each customer of each change, in the order in which they are told; of one change who joined
    comes before who left.
    """

    segment: list[UUID] = field(default_factory=list)
    version: list[int] = field(default_factory=list)
    customer: list[UUID] = field(default_factory=list)
    joined: list[bool] = field(default_factory=list)
    """Or else left."""
    at: list[datetime] = field(default_factory=list)
    cause: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, changes: Iterable[SegmentUpdated]) -> Self:
        moves = cls()
        for change in changes:
            for customers, joined in ((change.joined, True), (change.left, False)):
                moves._add(change, customers, joined=joined)
        return moves

    def _add(self, change: SegmentUpdated, customers: list[UUID], *, joined: bool) -> None:
        count = len(customers)
        self.segment.extend([change.segment_id] * count)
        self.version.extend([change.version] * count)
        self.customer.extend(customers)
        self.joined.extend([joined] * count)
        self.at.extend([change.evaluated_at] * count)
        self.cause.extend([change.cause] * count)

    @property
    def columns(self) -> dict[str, list[object]]:
        """By name, as parameters of a statement."""
        return {each.name: getattr(self, each.name) for each in fields(self)}
