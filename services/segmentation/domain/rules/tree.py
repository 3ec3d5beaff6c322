"""The checked tree of a rule. Both written forms become it; only it is compiled.

Nodes are frozen and compare by value, so that equal conditions of different segments are one
condition. Logic is SQL's three-valued logic.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

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


Operand = FeatureValue | EventValue | ProductBalance


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
class HasProduct:
    code: str


@dataclass(frozen=True)
class MaturesWithin:
    days: int


@dataclass(frozen=True)
class InSegment:
    key: str


Leaf = Test | Never | Stopped | HasProduct | MaturesWithin | InSegment


@dataclass(frozen=True)
class All:
    items: tuple["Rule", ...]


@dataclass(frozen=True)
class AnyOf:
    items: tuple["Rule", ...]


@dataclass(frozen=True)
class Not:
    item: "Rule"


Rule = Leaf | All | AnyOf | Not


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
            case Not(item):
                stack.append(item)
            case _ if node not in seen:
                seen.add(node)
                yield node


def segment_keys(rule: Rule) -> set[str]:
    """The segments this rule refers to."""
    return {leaf.key for leaf in leaves(rule) if isinstance(leaf, InSegment)}
