"""When a rule is asked, and what is asked then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo

from services.segmentation.domain.rules.tree import Value

Parameter = Value | list[int] | list[str]


@dataclass(frozen=True)
class Moment:
    """When a rule is evaluated: an instant and the bank's zone, which gives the business date."""

    at: datetime
    zone: tzinfo

    @property
    def utc(self) -> datetime:
        """The instant as the store keeps times: UTC without zone."""
        return self.at.astimezone(UTC).replace(tzinfo=None)

    @property
    def today(self) -> date:
        return self.at.astimezone(self.zone).date()


@dataclass(frozen=True)
class Query:
    """`references`: segments whose members must be registered, by the relation name to use."""

    sql: str
    parameters: Mapping[str, Parameter]
    references: Mapping[str, str]

    def at(self, moment: Moment, only: Iterable[int] | None = None) -> "Query":
        """The same at another moment in the same zone; if it is about some customers, about `only` these."""
        told: dict[str, Parameter] = {"t": moment.utc, "today": moment.today}
        if only is not None:
            told["only"] = list(only)
        bound = {name: value for name, value in told.items() if name in self.parameters}
        return replace(self, parameters={**self.parameters, **bound})
