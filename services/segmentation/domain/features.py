"""The feature catalogue: what can be asked about a customer, as data.

A feature is a scalar over the customer's row, or an aggregate over the rows of one source.
Expressions are the product's own SQL; `$t` is the evaluation time (UTC), `$today` the
business date. Users' text never becomes one.
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from shared.contracts.segmentation import FeatureType, Freshness

__all__ = ["Catalogue", "Feature", "FeatureType", "Freshness", "Missing", "Source"]


class Source(StrEnum):
    """Where a feature's rows come from.

    customer: the customer's own row. holding: the latest state of each open account.
    past: the state of each account 90 days ago. event: the business events up to `$t`.
    derived: other features, named in braces.
    """

    customer = "customer"
    holding = "holding"
    past = "past"
    event = "event"
    derived = "derived"


class Missing(StrEnum):
    """What a customer without any row in the source has."""

    zero = "0"
    false = "false"
    unknown = "unknown"


@dataclass(frozen=True)
class Feature:
    """`types`: the business events read, and `days` their longest window (`None` is unbounded)."""

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
    freshness: Freshness = Freshness.realtime
    uses: tuple[str, ...] = ()

    @property
    def lineage(self) -> list[str]:
        match self.source:
            case Source.event:
                return [f"event:{name}" for name in self.types]
            case Source.derived:
                return [f"feature:{name}" for name in self.uses]
            case Source.past:
                return ["holding"]
            case _:
                return [str(self.source)]


class Catalogue:
    """Features by key, in the order they are shown."""

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
        return next(iter(difflib.get_close_matches(name, self._features, n=1)), None)
