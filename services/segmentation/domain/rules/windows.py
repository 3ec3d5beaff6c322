"""What can change a rule's answer: facts, the passing of time, the business date, other customers.

Between two moments t0 < t without new facts only these customers can change, so that an evaluation
restricted to them equals a full one:
 - those with an event of a type in `windows_of` that is at t older than one of the windows, and was
   not at t0: its time in (t0 - window, t - window]. Window 0 stands for events told ahead of time;
 - if the business date has changed, those whom `dates_of` names;
 - those in, or related to, who changed in a segment that a rule refers to;
 - for a `scheduled` rule anybody.
With new facts also those the facts are about.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.segmentation.domain.expressions.tree import operands
from services.segmentation.domain.features import Catalogue, Dated, Feature, Source, Turn
from services.segmentation.domain.rules.tree import (
    Again,
    EventValue,
    FeatureValue,
    Leaf,
    MaturesWithin,
    Never,
    Operand,
    ProductBalance,
    Ranked,
    Related,
    Rule,
    Sequence,
    Stopped,
    Test,
    Value,
    leaves,
)
from shared.contracts.segmentation.features import Freshness


@dataclass(frozen=True)
class DateWindow:
    """Rows of `table` change their meaning on the dates `column` + m months + d days, for every m, d.

    `days` is `None` where any date may: then all customers with a row count. `event` is the type of
    the events whose `time` (its date in the bank's zone) is meant. The column may be null: never.
    """

    table: str
    column: str
    days: frozenset[int] | None = None
    months: frozenset[int] = frozenset({0})
    event: str | None = None


def windows_of(rules: Iterable[Rule], catalogue: Catalogue) -> dict[str, set[int]]:
    """For every event type the ages in days at which an event changes its meaning; always with 0."""
    found: dict[str, set[int]] = {}
    for part in _parts(rules):
        for type_, days in _ages(part, catalogue):
            found.setdefault(type_, {0}).update(days)
    return found


def dates_of(rules: Iterable[Rule], catalogue: Catalogue) -> frozenset[DateWindow]:
    """Whom a new business date may change."""
    return frozenset(window for part in _parts(rules) for window in _dates(part, catalogue))


def scheduled(rule: Rule) -> bool:
    """It compares customers with each other: facts about one may change the answer for any other."""
    return any(isinstance(leaf, Test) and isinstance(leaf.operand, Ranked) for leaf in leaves(rule))


def freshness(leaf: Leaf, catalogue: Catalogue) -> Freshness:
    """How soon a change shows in this condition."""
    if scheduled(leaf):
        return Freshness.scheduled
    return Freshness.daily if next(_dates(leaf, catalogue), None) else Freshness.realtime


def feature_freshness(key: str, catalogue: Catalogue) -> Freshness:
    return Freshness.daily if any(part.dated for part in _basics(key, catalogue)) else Freshness.realtime


def _parts(rules: Iterable[Rule]) -> Iterator[Leaf]:
    for rule in rules:
        yield from leaves(rule)


def _ages(leaf: Leaf, catalogue: Catalogue) -> Iterator[tuple[str, set[int]]]:
    match leaf:
        case Never(type_):
            yield type_, set()
        case Stopped(type_, days):
            yield type_, {days}
        case Sequence(first, then, _, recent):
            yield first, set()
            yield then, {recent} if recent else set()
        case Again(type_, _, recent):
            yield type_, {recent} if recent else set()
        case Test(operand):
            for value in _measures(operand, catalogue):
                if isinstance(value, EventValue):
                    yield value.type, {value.days} if value.days else set()
            for part in _made_of(operand, catalogue):
                yield from ((type_, part.ages) for type_ in part.types)


def _measures(operand: Operand, catalogue: Catalogue) -> Iterator[EventValue | ProductBalance]:
    """Measures that the operand is, or that a user's expression behind it is made of."""
    match operand:
        case EventValue() | ProductBalance():
            yield operand
        case FeatureValue(key) | Ranked(_, key):
            tree = catalogue[key].tree
            for value in operands(tree) if tree else ():
                yield from _measures(value, catalogue)
            for used in catalogue[key].uses if tree is None else ():
                yield from _measures(FeatureValue(used), catalogue)


def _made_of(operand: Operand, catalogue: Catalogue) -> Iterator[Feature]:
    if isinstance(operand, FeatureValue):
        yield from _basics(operand.key, catalogue)
    elif isinstance(operand, Ranked):
        yield from _basics(operand.feature, catalogue)


def _basics(key: str, catalogue: Catalogue) -> Iterator[Feature]:
    """The features with rows of their own that a feature is made of."""
    feature = catalogue[key]
    if feature.source not in {Source.derived, Source.defined}:
        yield feature
    for used in feature.uses:
        yield from _basics(used, catalogue)


# ── the business date ──


def _dates(leaf: Leaf, catalogue: Catalogue) -> Iterator[DateWindow]:
    match leaf:
        case MaturesWithin(days, after):
            yield DateWindow("holding_latest", "matures_on", frozenset({-days, 1 - after}))
        case Related():
            yield DateWindow("relation", "valid_from", frozenset({0}))
            yield DateWindow("relation", "valid_until", frozenset({0, 1}))
        case Test(FeatureValue(key), _, values):
            direct = catalogue[key].source not in {Source.derived, Source.defined}
            for part in _basics(key, catalogue):
                yield from _windows(part, values if direct else None)
        case Test(Ranked(_, key)):
            for part in _basics(key, catalogue):
                yield from _windows(part, None)


def _windows(feature: Feature, values: tuple[Value, ...] | None) -> Iterator[DateWindow]:
    """`values`: the constants the feature is compared with, `None` where it is part of something else."""
    for dated in feature.dated:
        days, months = _turns(dated, values)
        for event in feature.types if dated.table == "event" else (None,):
            yield DateWindow(dated.table, dated.column, days, months, event)


_START = frozenset({0})


def _turns(dated: Dated, values: tuple[Value, ...] | None) -> tuple[frozenset[int] | None, frozenset[int]]:
    if dated.turn is Turn.passing:
        return frozenset(dated.days), frozenset(dated.months)
    if dated.turn is Turn.any or values is None:
        return None, _START
    near = {
        whole
        for value in values
        for bound in (math.floor(float(value)), math.ceil(float(value)))  # type: ignore[arg-type]
        for whole in (bound, bound + 1)
    }
    match dated.turn:
        case Turn.until:
            return frozenset({0, 1, *(1 - each for each in near)}), _START
        case Turn.since:
            return frozenset({0, *near}), _START
        case _:
            # The end of February and of short months is up to two days off, and counts as reached later.
            per = 12 if dated.turn is Turn.years else 1
            return frozenset({0, 1, 2, 3}), frozenset(per * each for each in near)
