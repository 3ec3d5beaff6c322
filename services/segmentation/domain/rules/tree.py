"""The checked tree of a rule. Both written forms become it; only it is compiled.

Nodes are frozen and compare by value, so that equal conditions of different segments are one
condition. Logic is SQL's three-valued logic.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

Value = bool | int | Decimal | str | date | datetime


class Op(StrEnum):
    eq = "eq"
    ne = "ne"
    gt = "gt"
    gte = "gte"
    lt = "lt"
    lte = "lte"
    between = "between"
    in_ = "in"
    is_null = "is_null"
    is_not_null = "is_not_null"


class Measure(StrEnum):
    count = "count"  # type: ignore[assignment]  # str.count is of no use here
    sum = "sum"
    avg = "avg"
    min = "min"
    max = "max"
    distinct = "distinct"
    first = "first"
    last = "last"


@dataclass(frozen=True)
class FieldTest:
    """A comparison with one field of a business event."""

    field: str
    op: Op
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class FeatureValue:
    key: str


@dataclass(frozen=True)
class EventValue:
    """A measure over the events of one type; `days` is absent for first and last only."""

    measure: Measure
    type: str
    field: str | None = None
    days: int | None = None
    where: tuple[FieldTest, ...] = ()


@dataclass(frozen=True)
class ProductBalance:
    code: str


class Scope(StrEnum):
    """With whom a customer is compared: of the same unit, branch or sub-branch, or of the whole bank."""

    org = "org"
    tier1 = "tier1"
    tier2 = "tier2"
    bank = "bank"


@dataclass(frozen=True)
class Ranked:
    """A customer's place among the active customers of the scope for whom the feature is known.

    percentile: 100 x the share of the others who have less, 0 for the only one. rank: 1 + how many
    have more. Equals share a place. Unknown where the feature is.
    """

    by: Literal["percentile", "rank"]
    feature: str
    scope: Scope = Scope.org


Operand = FeatureValue | EventValue | ProductBalance | Ranked


@dataclass(frozen=True)
class Test:
    """An operand compared with constants: none for is (not) null, two for between, several for in."""

    __test__ = False  # not a test class for pytest

    operand: Operand
    op: Op
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Never:
    type: str


@dataclass(frozen=True)
class Stopped:
    """Happened before, but not in the last `days` days."""

    type: str
    days: int


@dataclass(frozen=True)
class Sequence:
    """An event of `first`, and after it, at most `days` days later, one of `then`.

    `recent`: only where the latter is of the last so many days.
    """

    first: str
    then: str
    days: int
    recent: int | None = None


@dataclass(frozen=True)
class Again:
    """Happened, then not for `gap` days or more, then happened again (in the last `recent` days)."""

    type: str
    gap: int
    recent: int | None = None


@dataclass(frozen=True)
class HasProduct:
    code: str


@dataclass(frozen=True)
class MaturesWithin:
    """Some holding matures at most `days` and at least `after` days from the business date."""

    days: int
    after: int = 0


@dataclass(frozen=True)
class InSegment:
    key: str


class Direction(StrEnum):
    out = "out"
    in_ = "in"
    both = "both"


@dataclass(frozen=True)
class Related:
    """Stands in this relation to a member of the segment; `in`: a member stands in it to the customer."""

    relation: str
    key: str
    direction: Direction = Direction.out


Function = Never | Stopped | Sequence | Again | HasProduct | MaturesWithin | InSegment | Related
"""The conditions that are a function, with no value to compare."""

Leaf = Test | Function


@dataclass(frozen=True)
class All:
    items: tuple["Rule", ...]


@dataclass(frozen=True)
class AnyOf:
    items: tuple["Rule", ...]


@dataclass(frozen=True)
class Not:
    item: "Rule"


@dataclass(frozen=True)
class Unknown:
    """True where the condition is unknown, else false: never unknown itself."""

    item: "Rule"


Rule = Leaf | All | AnyOf | Not | Unknown


def all_of(items: list[Rule]) -> Rule:
    """Conjunction with nested conjunctions merged: `a and (b and c)` is `a and b and c`."""
    merged = [part for item in items for part in (item.items if isinstance(item, All) else (item,))]
    return merged[0] if len(merged) == 1 else All(tuple(merged))


def any_of(items: list[Rule]) -> Rule:
    merged = [part for item in items for part in (item.items if isinstance(item, AnyOf) else (item,))]
    return merged[0] if len(merged) == 1 else AnyOf(tuple(merged))


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Every distinct leaf, in reading order."""
    seen: set[Leaf] = set()
    stack: list[Rule] = [rule]
    while stack:
        node = stack.pop()
        match node:
            case All(items) | AnyOf(items):
                stack.extend(reversed(items))
            case Not(item) | Unknown(item):
                stack.append(item)
            case _ if node not in seen:
                seen.add(node)
                yield node


def segment_keys(rule: Rule) -> set[str]:
    """The segments this rule refers to."""
    return {leaf.key for leaf in leaves(rule) if isinstance(leaf, InSegment | Related)}


def feature_keys(rule: Rule) -> set[str]:
    """The features this rule names."""
    found = set()
    for leaf in leaves(rule):
        match leaf:
            case Test(FeatureValue(key) | Ranked(_, key)):
                found.add(key)
    return found


def related_keys(rule: Rule) -> set[str]:
    """The segments whose members decide about others than themselves."""
    return {leaf.key for leaf in leaves(rule) if isinstance(leaf, Related)}
