"""The rule language done naively: one customer at a time, in plain Python, from its definition."""

import math
from collections.abc import Collection, Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from services.segmentation.domain.expressions.tree import (
    Arithmetic,
    Call,
    Constant,
    Expression,
    Function,
    Measured,
    Negative,
    Sign,
)
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.tree import (
    Again,
    All,
    AnyOf,
    Direction,
    EventValue,
    FeatureValue,
    FieldTest,
    HasProduct,
    InSegment,
    MaturesWithin,
    Measure,
    Never,
    Not,
    Op,
    Operand,
    ProductBalance,
    Ranked,
    Related,
    Rule,
    Scope,
    Sequence,
    Stopped,
    Test,
    Unknown,
)
from tests.segmentation.rules_oracle_features import ZONE, open_holdings, past
from tests.segmentation.rules_oracle_features import feature as built_in
from tests.segmentation.rules_random import NOW, TODAY, Customer, Event, Relation

__all__ = ["ZONE", "World", "holds"]

Truth = bool | None


@dataclass
class World:
    """Everybody, members of the segments by ordinal, and features that users defined."""

    everybody: Many[Customer] = ()
    members: Mapping[str, Collection[int]] = field(default_factory=dict)
    defined: Catalogue = field(default_factory=lambda: Catalogue([]))
    values: dict[str, dict[int, Any]] = field(default_factory=dict)
    """Features by key and identity of the customer, computed once."""

    def feature(self, key: str, customer: Customer) -> Any:
        known = self.values.setdefault(key, {})
        if id(customer) not in known:
            tree = self.defined[key].tree if key in self.defined else None
            known[id(customer)] = built_in(key, customer) if tree is None else self.computed(tree, customer)
        return known[id(customer)]

    def computed(self, tree: Expression, customer: Customer) -> float | None:
        value = self._number(tree, customer)
        return value if value is not None and math.isfinite(value) else None

    def _number(self, tree: Expression, customer: Customer) -> float | None:
        match tree:
            case Constant(value):
                return float(value)
            case Measured(operand):
                found = value_of(operand, customer, self)
                return None if found is None else float(found)
            case Negative(item):
                found = self._number(item, customer)
                return None if found is None else -found
            case Arithmetic(sign, left, right):
                return _calculated(sign, self._number(left, customer), self._number(right, customer))
            case Call(function, items):
                return _called(function, [self._number(item, customer) for item in items])


def _calculated(sign: Sign, left: float | None, right: float | None) -> float | None:
    if left is None or right is None or (sign is Sign.over and right == 0):
        return None
    match sign:
        case Sign.plus:
            return left + right
        case Sign.minus:
            return left - right
        case Sign.times:
            return left * right
        case Sign.over:
            return left / right


def _called(  # noqa: PLR0911 - a list of definitions
    function: Function, values: list[float | None]
) -> float | None:
    known = [value for value in values if value is not None]
    match function:
        case Function.coalesce:
            return known[0] if known else None
        case Function.nullif:
            return None if values[0] == values[1] else values[0]
        case Function.greatest:
            return max(known, default=None)
        case Function.least:
            return min(known, default=None)
        case Function.abs:
            return None if values[0] is None else abs(values[0])
        case Function.round:
            if values[0] is None:
                return None
            shifted = 10 ** int(values[1] or 0)
            return math.copysign(math.floor(abs(values[0]) * shifted + 0.5) / shifted, values[0])


def holds(  # noqa: C901, PLR0911, PLR0912 - a list of definitions
    rule: Rule, customer: Customer, member_of: set[str], world: World | None = None
) -> Truth:
    world = world or World()
    match rule:
        case All(items):
            found = [holds(item, customer, member_of, world) for item in items]
            return False if False in found else None if None in found else True
        case AnyOf(items):
            found = [holds(item, customer, member_of, world) for item in items]
            return True if True in found else None if None in found else False
        case Not(item):
            inner = holds(item, customer, member_of, world)
            return None if inner is None else not inner
        case Unknown(item):
            return holds(item, customer, member_of, world) is None
        case Test(operand, op, values):
            return compared(value_of(operand, customer, world), op, values)
        case Never(type_):
            return not past(customer, type_)
        case Stopped(type_, days):
            times = [event.time for event in past(customer, type_)]
            return bool(times) and max(times) <= NOW - timedelta(days=days)
        case HasProduct(code):
            return any(each.product == code for each in open_holdings(customer))
        case MaturesWithin(days, after):
            first, last = TODAY + timedelta(days=after), TODAY + timedelta(days=days)
            return any(
                each.matures_on is not None and first <= each.matures_on <= last
                for each in open_holdings(customer)
            )
        case InSegment(key):
            return key in member_of
        case Sequence(first_type, then, days, recent):
            return any(
                timedelta(0) < later.time - earlier.time <= timedelta(days=days)
                for earlier in past(customer, first_type)
                for later in past(customer, then, recent)
            )
        case Again(type_, gap, recent):
            times = [event.time for event in past(customer, type_)]
            return any(
                max((time for time in times if time < event.time), default=datetime.max.replace(tzinfo=UTC))
                <= event.time - timedelta(days=gap)
                for event in past(customer, type_, recent)
            )
        case Related(relation, key, direction):
            return any(
                each.type == relation
                and each.other in world.members.get(key, ())
                and (
                    each.symmetric
                    or direction is Direction.both
                    or each.forward is (direction is Direction.out)
                )
                for each in relations_today(customer)
            )


def relations_today(customer: Customer) -> list[Relation]:
    return [
        each
        for each in customer.relations
        if (each.valid_from is None or each.valid_from <= TODAY)
        and (each.valid_until is None or each.valid_until > TODAY)
    ]


def place(ranked: Ranked, customer: Customer, world: World) -> float | None:
    mine = world.feature(ranked.feature, customer)
    if mine is None:
        return None
    peers = [each for each in world.everybody if _scope(each, ranked.scope) == _scope(customer, ranked.scope)]
    found = [world.feature(ranked.feature, each) for each in peers]
    known = [float(value) for value in found if value is not None]
    if ranked.by == "rank":
        return 1 + sum(value > float(mine) for value in known)
    below = sum(value < float(mine) for value in known)
    return 100 * (below / (len(known) - 1)) if len(known) > 1 else 0.0


def _scope(customer: Customer, scope: Scope) -> object:
    parts = customer.attributes["org"].split(".")
    depth = {Scope.bank: 0, Scope.tier1: 2, Scope.tier2: 3, Scope.org: len(parts)}[scope]
    return parts[:depth]


def compared(value: Any, op: Op, constants: tuple[Any, ...]) -> Truth:  # noqa: C901, PLR0911
    if op is Op.is_null:
        return value is None
    if op is Op.is_not_null:
        return value is not None
    if value is None:
        return None
    constants = tuple(_like(value, constant) for constant in constants)
    match op:
        case Op.between:
            return bool(constants[0] <= value <= constants[1])
        case Op.in_:
            return value in constants
        case Op.eq:
            return bool(value == constants[0])
        case Op.ne:
            return bool(value != constants[0])
        case Op.gt:
            return bool(value > constants[0])
        case Op.gte:
            return bool(value >= constants[0])
        case Op.lt:
            return bool(value < constants[0])
        case _:
            return bool(value <= constants[0])


def _like(value: Any, constant: Any) -> Any:
    if isinstance(value, datetime) and not isinstance(constant, datetime):
        return datetime.combine(constant, time(), ZONE)
    return constant


def value_of(operand: Operand, customer: Customer, world: World) -> Any:
    match operand:
        case FeatureValue(key):
            return world.feature(key, customer)
        case Ranked():
            return place(operand, customer, world)
        case ProductBalance(code):
            return sum((each.balance for each in open_holdings(customer) if each.product == code), Decimal(0))
        case EventValue(Measure.first, type_):
            return min((event.time for event in past(customer, type_)), default=None)
        case EventValue(Measure.last, type_):
            return max((event.time for event in past(customer, type_)), default=None)
        case EventValue():
            return windowed(operand, customer)


def windowed(value: EventValue, customer: Customer) -> Any:
    taken = [
        event
        for event in past(customer, value.type, value.days)
        if all(field_holds(event, test) for test in value.where)
    ]
    if value.measure is Measure.count:
        return len(taken)
    assert value.field is not None
    found = [event.data[value.field] for event in taken if value.field in event.data]
    if value.measure is Measure.distinct:
        return len({str(each) for each in found})
    amounts = [Decimal(str(each)) for each in found]
    if value.measure is Measure.sum:
        return sum(amounts, Decimal(0))
    if not amounts:
        return None
    if value.measure is Measure.avg:
        return float(sum(amounts)) / len(amounts)
    return min(amounts) if value.measure is Measure.min else max(amounts)


def field_holds(event: Event, test: FieldTest) -> Truth:
    value = event.data.get(test.field)
    if test.field in {"amount", "days"} and value is not None:
        value = Decimal(str(value))
    return compared(value, test.op, test.values)
