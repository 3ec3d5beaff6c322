"""The feature catalogue: what can be asked about a customer, as data.

A feature is a scalar over the customer's row, an aggregate over the rows of one source, or an
expression over other features and measures. Expressions of ours are SQL; `$t` is the evaluation
time (UTC), `$today` the business date. Users' text never becomes SQL: it is read into a tree.
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from services.segmentation.domain.expressions.tree import Expression, operands
from services.segmentation.domain.rules.tree import ProductBalance
from shared.contracts.segmentation import FeatureType

__all__ = ["Catalogue", "Dated", "Feature", "FeatureType", "Missing", "Source", "Turn"]


class Source(StrEnum):
    """Where a feature's rows come from.

    customer: the customer's own row. holding: the latest state of each open account.
    past: the state of each account 90 days ago. day: each state of each account, with the days it
    held. event: the business events up to `$t`. value: contributions by month. relation: relations
    that hold, at either end. derived: other features, named in braces. defined: a user's expression.
    """

    customer = "customer"
    holding = "holding"
    past = "past"
    day = "day"
    event = "event"
    value = "value"
    relation = "relation"
    derived = "derived"
    defined = "defined"


class Missing(StrEnum):
    """What a customer without any row in the source has."""

    zero = "0"
    false = "false"
    unknown = "unknown"


class Turn(StrEnum):
    """On which business dates a date column can change a value.

    until: it is the days left until the date. since: the days since it. years, months: the full ones
    since it. passing: only the date itself counts, `days` and `months` later. any: every date.
    """

    until = "until"
    since = "since"
    years = "years"
    months = "months"
    passing = "passing"
    any = "any"


@dataclass(frozen=True)
class Dated:
    """A date column of the store that a value depends on. Of `event` it is the date of `time`."""

    table: str
    column: str
    turn: Turn
    days: tuple[int, ...] = (0,)
    months: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Feature:
    """`types`: the business events read, `days` their longest window (`None` is unbounded), `windows` others.

    `dated`: why it changes with the business date alone. `expression`: SQL of ours, or a user's text,
    which is only shown: `tree` is what it means.
    """

    key: str
    zh: str
    en: str
    type: FeatureType
    source: Source
    expression: str
    unit: str | None = None
    missing: Missing = Missing.unknown
    types: tuple[str, ...] = ()
    days: int | None = None
    uses: tuple[str, ...] = ()
    windows: tuple[int, ...] = ()
    dated: tuple[Dated, ...] = ()
    tree: Expression | None = None
    archived: bool = False

    @property
    def ages(self) -> set[int]:
        """The ages in days at which one of its events counts no longer, or otherwise."""
        return {*self.windows, *((self.days,) if self.days else ())}

    @property
    def lineage(self) -> list[str]:
        match self.source:
            case Source.event:
                return [f"event:{name}" for name in self.types]
            case Source.derived | Source.defined:
                measured = operands(self.tree) if self.tree else ()
                held = ["holding"] if any(isinstance(each, ProductBalance) for each in measured) else []
                used = [f"feature:{name}" for name in self.uses]
                return [*used, *(f"event:{name}" for name in self.types), *held]
            case Source.past | Source.day:
                return ["holding"]
            case _:
                return [str(self.source)]


class Catalogue:
    """Features by key, in the order they are shown. Compared by identity: loaded once per content."""

    def __init__(self, features: Iterable[Feature]) -> None:
        self._features = {feature.key: feature for feature in features}

    def __getitem__(self, key: str) -> Feature:
        return self._features[key]

    def __contains__(self, key: object) -> bool:
        return key in self._features

    def __iter__(self) -> Iterator[Feature]:
        return iter(self._features.values())

    def __len__(self) -> int:
        return len(self._features)

    def nearest(self, name: str) -> str | None:
        """The key that `name` is most likely a slip of."""
        offered = [feature.key for feature in self if not feature.archived]
        return next(iter(difflib.get_close_matches(name, offered, n=1)), None)

    def with_features(self, features: Iterable[Feature]) -> "Catalogue":
        return Catalogue([*self, *features])
