"""Who was exposed, how far they came and what it took: counts that the store delivers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Exposures:
    """How many were assigned to each arm (hold-out: ''), and of how many the window has passed."""

    by_arm: dict[str, int]
    matured: int
    window_closes: datetime | None
    """When the last outcome window ends; none without exposures."""

    @property
    def total(self) -> int:
        return sum(self.by_arm.values())


@dataclass(frozen=True, slots=True)
class Stages:
    """Customers of one group at each stage of the funnel."""

    assigned: int = 0
    contacted: int = 0
    reached: int = 0
    responded: int = 0
    converted: int = 0

    def plus(self, other: Stages) -> Stages:
        return Stages(
            self.assigned + other.assigned,
            self.contacted + other.contacted,
            self.reached + other.reached,
            self.responded + other.responded,
            self.converted + other.converted,
        )


@dataclass(frozen=True, slots=True)
class Effort:
    """What a campaign's contacts took; `cost` in CNY is None when none was recorded."""

    assigned: int = 0
    held_out: int = 0
    contacted: int = 0
    contacts: int = 0
    minutes: Decimal = Decimal(0)
    cost: Decimal | None = None
