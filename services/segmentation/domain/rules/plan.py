"""What a set of rules needs whenever it is asked: order, references, windows, queries. Worked out once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property, lru_cache

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Compiler
from services.segmentation.domain.rules.query import Moment, Query
from services.segmentation.domain.rules.references import stages
from services.segmentation.domain.rules.tree import Rule, related_keys, segment_keys
from services.segmentation.domain.rules.windows import DateWindow, dates_of, windows_of

_KEPT = 8
_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class _Given:
    """What a plan is made of, equal if it is the same: rules that differ may compare equal, 1 is True."""

    rules: Mapping[str, Rule]
    catalogue: Catalogue
    zone: tzinfo

    @cached_property
    def _identity(self) -> tuple[object, ...]:
        return (*((key, id(rule)) for key, rule in self.rules.items()), id(self.catalogue), self.zone)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Given) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


class Stage:
    """Rules that one query answers, by key, in order of evaluation; its outputs are s0, s1, …"""

    def __init__(self, rules: Mapping[str, Rule], catalogue: Catalogue, zone: tzinfo) -> None:
        self.rules = rules
        self._catalogue = catalogue
        self._zone = zone

    def query(self, moment: Moment, only: Iterable[int] | None = None) -> Query:
        """For all active customers, or `only` these."""
        return (self._of_all if only is None else self._of_some).at(moment, only)

    @cached_property
    def _of_all(self) -> Query:
        return self._compiler().query()

    @cached_property
    def _of_some(self) -> Query:
        return self._compiler().query(only=())

    def _compiler(self) -> Compiler:
        compiler = Compiler(self._catalogue, Moment(_SOME_TIME, self._zone))
        for number, (key, rule) in enumerate(self.rules.items()):
            compiler.add_rule(f"s{number}", rule, segment=key)
        return compiler


class Plan:
    """`uses`: by key the segments a rule refers to; `related`: those of them that decide about others."""

    def __init__(self, given: _Given) -> None:
        self._given = given
        self.uses = {key: segment_keys(rule) for key, rule in given.rules.items()}
        self.related = {key: related_keys(rule) for key, rule in given.rules.items()}

    @cached_property
    def stages(self) -> Sequence[Stage]:
        rules = self._given.rules
        return [
            Stage({key: rules[key] for key in keys}, self._given.catalogue, self._given.zone)
            for keys in stages(rules)
        ]

    @cached_property
    def windows(self) -> Mapping[str, set[int]]:
        return windows_of(self._given.rules.values(), self._given.catalogue)

    @cached_property
    def dates(self) -> frozenset[DateWindow]:
        return dates_of(self._given.rules.values(), self._given.catalogue)


def plan_of(rules: Mapping[str, Rule], catalogue: Catalogue, zone: tzinfo) -> Plan:
    """The same one for the same rules."""
    return _plan(_Given(dict(rules), catalogue, zone))


# The plan keeps its rules alive, so that no other ones take over their identities.
_plan = lru_cache(maxsize=_KEPT)(Plan)
