"""Random rules and random customers from a seed, for properties of the rule language.

A seeded generator rather than composed strategies: many rules over many customers in one
example meet boundaries far more often for the same time. Values are few, so that constants,
amounts and windows often meet exactly.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import FeatureType
from services.segmentation.domain.rules.tree import (
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
    Rule,
    Stopped,
    Test,
    Value,
    all_of,
    any_of,
)

NOW = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)
TYPES = ("transaction.posted", "login")
PRODUCTS = ("demand-deposit", "wealth-R2")
COMPARED = (Op.eq, Op.ne)
ORDERED = (*COMPARED, Op.gt, Op.gte, Op.lt, Op.lte, Op.between)
KNOWN = (Op.is_null, Op.is_not_null)
TEXTS = ("F", "M", "mobile", "in", "it's", 'qu"ote', "x; drop table customer --", "")
NUMBERS = (-2, -1, 0, 1, 2, 3, 4, 30, 32, 38, Decimal("-0.5"), Decimal("0.5"), Decimal("1.5"), 10**14)
HALVES = ("-2", "-1", "-0.5", "0", "0.5", "1", "1.5", "2")
HOURS_AGO = (-1, 0, 1, 24, 36, 48, 72, 73, 30 * 24, 45 * 24, 90 * 24, 91 * 24)
DAYS = (1, 2, 3, 30)
BIRTHDAYS = (date(1988, 2, 29), date(1988, 11, 21), date(1988, 11, 22), date(1996, 11, 20), None)


class Rules:
    """Rules drawn with a seeded generator."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def rule(self, depth: int = 2) -> Rule:
        if depth == 0 or self._random.random() < 0.4:
            return self._leaf()
        parts = [self.rule(depth - 1) for _ in range(self._random.choice([2, 2, 3]))]
        match self._random.choice(["all", "any", "not"]):
            case "all":
                return all_of(parts)
            case "any":
                return any_of(parts)
            case _:
                return Not(parts[0])

    def _leaf(self) -> Rule:
        choose = self._random.choice
        match self._random.randrange(10):
            case 0:
                return Never(choose(TYPES))
            case 1:
                return Stopped(choose(TYPES), choose(DAYS))
            case 2:
                return HasProduct(choose(PRODUCTS))
            case 3:
                return MaturesWithin(choose(DAYS))
            case 4:
                return InSegment(choose(["gold", "open-complaint"]))
            case _:
                return self._test()

    def _test(self) -> Test:
        match self._random.randrange(5):
            case 0:
                operand: Operand = ProductBalance(self._random.choice(PRODUCTS))
            case 1 | 2:
                operand = FeatureValue(self._random.choice([feature.key for feature in BUILT_IN]))
            case _:
                operand = self._event_value()
        ops, values = self._range_of(operand)
        op = self._random.choice(ops)
        return Test(operand, op, self._values(op, values))

    def _range_of(self, operand: Operand) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
        if isinstance(operand, EventValue) and operand.measure in {Measure.first, Measure.last}:
            moments = (*(NOW - timedelta(hours=hours) for hours in HOURS_AGO), date(2026, 11, 19), TODAY)
            return (*ORDERED, *KNOWN), moments
        kind = BUILT_IN[operand.key].type if isinstance(operand, FeatureValue) else FeatureType.number
        match kind:
            case FeatureType.text:
                return (*COMPARED, Op.in_, *KNOWN), TEXTS
            case FeatureType.boolean:
                return (*COMPARED, *KNOWN), (True, False)
            case FeatureType.date:
                return (*ORDERED, *KNOWN), tuple(day for day in BIRTHDAYS if day)
            case _:
                return (*ORDERED, Op.in_, *KNOWN), NUMBERS

    def _values(self, op: Op, values: tuple[Value, ...]) -> tuple[Value, ...]:
        count = {Op.is_null: 0, Op.is_not_null: 0, Op.between: 2, Op.in_: 3}.get(op, 1)
        return tuple(self._random.choice(values) for _ in range(count))

    def _event_value(self) -> EventValue:
        choose = self._random.choice
        measure = choose(list(Measure))
        type_ = choose(TYPES)
        if measure in {Measure.first, Measure.last}:
            return EventValue(measure, type_)
        field = None
        if measure is Measure.distinct:
            field = choose(["amount", "channel", "note"])
        elif measure is not Measure.count:
            field = choose(["amount", "days"])
        where = tuple(self._field_test() for _ in range(choose([0, 0, 1, 2])))
        return EventValue(measure, type_, field, choose(DAYS), where)

    def _field_test(self) -> FieldTest:
        if self._random.random() < 0.5:
            op = self._random.choice((*ORDERED, Op.in_))
            return FieldTest(self._random.choice(["amount", "days"]), op, self._values(op, NUMBERS))
        op = self._random.choice((*COMPARED, Op.in_, *KNOWN))
        return FieldTest(self._random.choice(["channel", "note"]), op, self._values(op, TEXTS))


@dataclass(frozen=True)
class Event:
    type: str
    time: datetime
    data: dict[str, Any]

    def json(self) -> str:
        return json.dumps(self.data)


@dataclass(frozen=True)
class Holding:
    account: str
    product: str
    category: str
    balance: Decimal
    as_of: date
    matures_on: date | None
    closed: bool


@dataclass(frozen=True)
class Customer:
    attributes: dict[str, Any]
    events: list[Event]
    holdings: list[Holding]


def customer(random: Random) -> Customer:
    return Customer(
        attributes={
            "gender": random.choice(["F", "M", None]),
            "occupation": random.choice([*TEXTS, None]),
            "birth_date": random.choice(BIRTHDAYS),
            "customer_since": random.choice(
                [date(2026, 10, 21), date(2026, 10, 22), date(2024, 2, 29), None]
            ),
            "consent_sms": random.choice([True, False]),
        },
        events=[_event(random) for _ in range(random.randrange(7))],
        holdings=[_holding(random) for _ in range(random.randrange(5))],
    )


def _event(random: Random) -> Event:
    data = {
        "amount": random.choice(HALVES),
        "channel": random.choice(TEXTS),
        "direction": random.choice(["in", "out"]),
        "days": random.choice([-2, 0, 1, 3]),
        "note": random.choice(TEXTS),
    }
    given = {name: value for name, value in data.items() if random.random() < 0.8}
    return Event(random.choice(TYPES), NOW - timedelta(hours=random.choice(HOURS_AGO)), given)


def _holding(random: Random) -> Holding:
    ahead = random.choice([None, -1, 0, 1, 2, 3, 4, 30, 31])
    return Holding(
        account=random.choice(["A", "B"]),
        product=random.choice(PRODUCTS),
        category=random.choice(["demand", "wealth", "loan"]),
        balance=Decimal(random.choice(HALVES)),
        as_of=TODAY - timedelta(days=random.choice([0, 0, 89, 90, 300])),
        matures_on=None if ahead is None else TODAY + timedelta(days=ahead),
        closed=random.random() < 0.2,
    )
