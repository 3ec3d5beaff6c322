"""Random rules and random customers from a seed, for properties of the rule language.

A seeded generator rather than composed strategies: many rules over many customers in one
example meet boundaries far more often for the same time. Values are few, so that constants,
amounts and windows often meet exactly.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal

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
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue, FeatureType
from services.segmentation.domain.rules.checks import NUMERIC
from services.segmentation.domain.rules.tree import (
    Again,
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
    Value,
    all_of,
    any_of,
)

NOW = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)
TYPES = ("transaction.posted", "login")
OTHER_TYPES = (
    *("card.spent", "salary.received", "complaint.filed", "complaint.resolved", "loan.overdue"),
    *("interaction.recorded", "channel.visited"),
)
SEGMENTS = ("gold", "open-complaint")
RELATIONS = ("supplies", "household")
ORGS = ("hq.test", "hq.east.a", "hq.east.b", "hq.east.a.one")
PRODUCTS = ("demand-deposit", "wealth-R2")
COMPARED = (Op.eq, Op.ne)
ORDERED = (*COMPARED, Op.gt, Op.gte, Op.lt, Op.lte, Op.between)
KNOWN = (Op.is_null, Op.is_not_null)
TEXTS = ("F", "M", "mobile", "in", "it's", 'qu"ote', "x; drop table customer --", "")
NUMBERS = (-2, -1, 0, 1, 2, 3, 4, 30, 32, 38, Decimal("-0.5"), Decimal("0.5"), Decimal("1.5"), 10**14)
HALVES = ("-2", "-1", "-0.5", "0", "0.5", "1", "1.5", "2")
PLACES: dict[str, tuple[Value, ...]] = {"percentile": (0, 25, 50, 75, 90, 100), "rank": (1, 2, 3, 10)}
HOURS_AGO = (-1, 0, 1, 24, 36, 48, 72, 73, 30 * 24, 45 * 24, 90 * 24, 91 * 24)
DAYS = (1, 2, 3, 30)
RECENT = (None, 1, 3, 30)
BIRTHDAYS = (date(1988, 2, 29), date(1988, 11, 21), date(1988, 11, 22), date(1996, 11, 20), None)


class Expressions:
    """Expressions over some features, drawn with a seeded generator."""

    def __init__(self, random: Random, features: list[str]) -> None:
        self._random = random
        self._features = features

    def expression(self, depth: int = 2) -> Expression:
        choose = self._random.choice
        if depth == 0:
            return choose([self._operand, self._operand, self._constant])()
        items = [self.expression(depth - 1) for _ in range(2)]
        match self._random.randrange(8):
            case 0:
                return Negative(items[0]) if not isinstance(items[0], Constant) else items[0]
            case 1:
                return Call(Function.round, (self._operand(), Constant(choose([0, 1, 2]))))
            case 2:
                return Call(Function.abs, (items[0],))
            case 3:
                named = choose([Function.coalesce, Function.nullif, Function.greatest, Function.least])
                return Call(named, tuple(items))
            case _:
                sign = choose(list(Sign))
                is_zero = isinstance(items[1], Constant) and items[1].value == 0
                return Arithmetic(Sign.plus if is_zero else sign, *items)

    def _operand(self) -> Expression:
        if self._random.random() < 0.7:
            return Measured(FeatureValue(self._random.choice(self._features)))
        value = EventValue(Measure.count, self._random.choice(TYPES), None, self._random.choice(DAYS))
        return Measured(value if self._random.random() < 0.5 else ProductBalance(PRODUCTS[0]))

    def _constant(self) -> Expression:
        values: tuple[int | Decimal, ...] = (0, 1, 2, -1, Decimal("0.5"), 10**14)
        return Constant(self._random.choice(values))


class Rules:
    """Rules drawn with a seeded generator, over the features of a catalogue."""

    def __init__(self, random: Random, catalogue: Catalogue = BUILT_IN) -> None:
        self._random = random
        self._catalogue = catalogue
        self._features = [feature.key for feature in catalogue]
        self._numbers = [feature.key for feature in catalogue if feature.type in NUMERIC]

    def rule(self, depth: int = 2) -> Rule:
        if depth == 0 or self._random.random() < 0.4:
            return self._leaf()
        parts = [self.rule(depth - 1) for _ in range(self._random.choice([2, 2, 3]))]
        match self._random.choice(["all", "any", "not", "unknown"]):
            case "all":
                return all_of(parts)
            case "any":
                return any_of(parts)
            case "not":
                return Not(parts[0])
            case _:
                return Unknown(parts[0])

    def _leaf(self) -> Rule:  # noqa: PLR0911 - one form each
        choose = self._random.choice
        match self._random.randrange(14):
            case 0:
                return Never(choose(TYPES))
            case 1:
                return Stopped(choose(TYPES), choose(DAYS))
            case 2:
                return HasProduct(choose(PRODUCTS))
            case 3:
                days = choose(DAYS)
                return MaturesWithin(days, choose([0, 0, days // 2, days]))
            case 4:
                return InSegment(choose(SEGMENTS))
            case 5:
                return Sequence(choose(TYPES), choose(TYPES), choose(DAYS), choose(RECENT))
            case 6:
                return Again(choose(TYPES), choose(DAYS), choose(RECENT))
            case 7:
                return Related(choose(RELATIONS), choose(SEGMENTS), choose(list(Direction)))
            case _:
                return self._test()

    def _test(self) -> Test:
        match self._random.randrange(6):
            case 0:
                operand: Operand = ProductBalance(self._random.choice(PRODUCTS))
            case 1 | 2:
                operand = FeatureValue(self._random.choice(self._features))
            case 3:
                by: Literal["percentile", "rank"] = self._random.choice(["percentile", "rank"])
                operand = Ranked(by, self._random.choice(self._numbers), self._random.choice(list(Scope)))
            case _:
                operand = self._event_value()
        ops, values = self._range_of(operand)
        op = self._random.choice(ops)
        return Test(operand, op, self._values(op, values))

    def _range_of(self, operand: Operand) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
        if isinstance(operand, EventValue) and operand.measure in {Measure.first, Measure.last}:
            moments = (*(NOW - timedelta(hours=hours) for hours in HOURS_AGO), date(2026, 11, 19), TODAY)
            return (*ORDERED, *KNOWN), moments
        if isinstance(operand, Ranked):
            return (*ORDERED, Op.in_, *KNOWN), PLACES[operand.by]
        kind = self._catalogue[operand.key].type if isinstance(operand, FeatureValue) else FeatureType.number
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
class Relation:
    """As seen from one customer; `forward` if it is the one who stands in it."""

    type: str
    other: int
    forward: bool
    symmetric: bool
    valid_from: date | None
    valid_until: date | None


@dataclass(frozen=True)
class Month:
    """What one model says of one month."""

    model: str
    month: date
    contribution: Decimal
    income: Decimal
    net_income: Decimal
    capital_years: Decimal
    potential: Decimal | None


@dataclass(frozen=True)
class Customer:
    attributes: dict[str, Any]
    events: list[Event]
    holdings: list[Holding]
    relations: list[Relation] = field(default_factory=list)
    months: list[Month] = field(default_factory=list)


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
            "org": random.choice(ORGS),
            "risk_valid_until": random.choice(
                [*(TODAY + timedelta(days=n) for n in (-31, -1, 0, 1, 30)), None]
            ),
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
    type_ = random.choice(TYPES if random.random() < 0.7 else OTHER_TYPES)
    return Event(type_, NOW - timedelta(hours=random.choice(HOURS_AGO)), given)


def _holding(random: Random) -> Holding:
    ahead = random.choice([None, -1, 0, 1, 2, 3, 4, 30, 31])
    return Holding(
        account=random.choice(["A", "B"]),
        product=random.choice(PRODUCTS),
        category=random.choice(["demand", "wealth", "loan", "time_deposit", "fund"]),
        balance=Decimal(random.choice(HALVES)),
        as_of=TODAY - timedelta(days=random.choice([0, 0, 89, 90, 300])),
        matures_on=None if ahead is None else TODAY + timedelta(days=ahead),
        closed=random.random() < 0.2,
    )


def related(random: Random, customers: list[Customer]) -> None:
    """Relations between customers, told to both ends; ordinals count from 1."""
    for _ in range(len(customers)):
        one, other = random.sample(range(1, len(customers) + 1), 2)
        symmetric = random.random() < 0.3
        since = random.choice([None, TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1)])
        until = random.choice([None, None, TODAY, TODAY + timedelta(days=1)])
        for mine, theirs, forward in ((one, other, True), (other, one, False)):
            customers[mine - 1].relations.append(
                Relation(RELATIONS[symmetric], theirs, forward, symmetric, since, until)
            )


def contributing(random: Random, customer: Customer) -> None:
    for model in random.sample(["a", "b"], random.choice([0, 1, 1, 2])):
        for back in random.sample([0, 1, 2, 11, 12, 13], random.choice([1, 2, 3])):
            month = date(TODAY.year - (back >= TODAY.month), (TODAY.month - back - 1) % 12 + 1, 1)
            names = ("contribution", "income", "net_income", "capital_years")
            amounts = {name: Decimal(random.choice(HALVES)) for name in names}
            potential = random.choice([None, Decimal(1), Decimal(3)])
            customer.months.append(Month(model, month, **amounts, potential=potential))
