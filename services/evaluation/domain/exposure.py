"""Who was exposed, how far they came and what it took: counts that the store delivers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from shared.contracts.metrics import MetricCreate


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
    """Customers of one group at each stage of the funnel; `retained` counts where `FunnelCounts` has days."""

    assigned: int = 0
    contacted: int = 0
    reached: int = 0
    responded: int = 0
    converted: int = 0
    retained: int = 0

    def plus(self, other: Stages) -> Stages:
        return Stages(
            self.assigned + other.assigned,
            self.contacted + other.contacted,
            self.reached + other.reached,
            self.responded + other.responded,
            self.converted + other.converted,
            self.retained + other.retained,
        )


@dataclass(frozen=True, slots=True)
class FunnelCounts:
    """Stages by arm (hold-out: '').

    `retained_days`: how long after assignment it was looked who still holds what they opened, the same for
    everybody. None where nobody can know yet, or ever: then `retained` says nothing.
    """

    by_arm: dict[str, Stages]
    retained_days: int | None


def retention_windows(
    registered: Iterable[MetricCreate], window_days: int, conversion: MetricCreate
) -> list[int]:
    """Days after assignment, ascending, at which a funnel may look who still holds what they opened.

    The windows that the campaign registered, its own and those of its metrics; none that ends before
    conversion's does, when not everybody has had the time to open anything.
    """
    declared = {
        window_days,
        *(days for metric in registered for days in (metric.window_days, *metric.windows)),
    }
    return sorted(days for days in declared if days >= conversion.window_days)


@dataclass(frozen=True, slots=True)
class Effort:
    """What a campaign's contacts took; `cost` in CNY is None when none was recorded."""

    assigned: int = 0
    held_out: int = 0
    contacted: int = 0
    contacts: int = 0
    minutes: Decimal = Decimal(0)
    cost: Decimal | None = None
