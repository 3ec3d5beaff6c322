"""What conditions look at, compiled: features, measures of events, balances, places among others."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from services.segmentation.domain.expressions.tree import (
    Arithmetic,
    Call,
    Constant,
    Expression,
    Measured,
    Negative,
    Sign,
)
from services.segmentation.domain.expressions.tree import Function as Named
from services.segmentation.domain.features import Catalogue, Feature, Missing, Source
from services.segmentation.domain.rules.checks import TYPED_FIELDS
from services.segmentation.domain.rules.query import Moment, Parameter
from services.segmentation.domain.rules.tree import (
    EventValue,
    FeatureValue,
    FieldTest,
    Measure,
    Op,
    Operand,
    ProductBalance,
    Ranked,
    Value,
)

_SIGNS = {Op.eq: "=", Op.ne: "<>", Op.gt: ">", Op.gte: ">=", Op.lt: "<", Op.lte: "<="}
_AGGREGATES = {
    Measure.sum: "sum",
    Measure.avg: "avg",
    Measure.min: "min",
    Measure.max: "max",
}
_UNKNOWN_WHEN_NONE = {Measure.avg, Measure.min, Measure.max}


@dataclass
class EventReach:
    """What the event aggregation must read; `days` is `None` once a leaf looks back without limit."""

    types: set[str] = field(default_factory=set)
    days: int | None = 0

    def include(self, types: Iterable[str], days: int | None) -> None:
        self.types.update(types)
        self.days = None if days is None or self.days is None else max(self.days, days)


class Operands:
    """Collects the columns that the operands of one query need, and its bound parameters."""

    def __init__(self, catalogue: Catalogue, moment: Moment) -> None:
        self._catalogue = catalogue
        self._moment = moment
        self._parameters: dict[str, Parameter] = {}
        self._names: dict[tuple[type, Value], str] = {}
        self._columns: dict[Source, dict[str, str]] = {source: {} for source in Source}
        self._events = EventReach()
        self._places: dict[Ranked, str] = {}

    def _column(self, source: Source, sql: str) -> str:
        """The name of an aggregate in its block; equal aggregates are computed once."""
        columns = self._columns[source]
        return f"{source}_of.{columns.setdefault(sql, f'{source}_{len(columns)}')}"

    def _value(self, value: Value) -> str:
        """A bound parameter; equal constants share one."""
        if isinstance(value, date) and not isinstance(value, datetime):
            bound: Value = value
        elif isinstance(value, datetime):
            bound = value.astimezone(UTC).replace(tzinfo=None)
        else:
            bound = value
        name = self._names.setdefault((type(bound), bound), f"p{len(self._names)}")
        self._parameters[name] = bound
        return f"${name}"

    def _constants(self, operand: Operand, values: Iterable[Value]) -> list[str]:
        """Times of events are compared with instants: a date is its start in the bank's zone."""
        is_moment = isinstance(operand, EventValue) and operand.measure in {Measure.first, Measure.last}
        return [self._value(self._instant(value) if is_moment else value) for value in values]

    def _instant(self, value: Value) -> Value:
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime.combine(value, time(), self._moment.zone)
        return value

    def _compared(self, left: str, op: Op, constants: list[str]) -> str:
        match op:
            case Op.between:
                return f"{left} BETWEEN {constants[0]} AND {constants[1]}"
            case Op.in_:
                return f"{left} IN ({', '.join(constants)})"
            case Op.is_null:
                return f"{left} IS NULL"
            case Op.is_not_null:
                return f"{left} IS NOT NULL"
            case _:
                return f"{left} {_SIGNS[op]} {constants[0]}"

    # ── operands ──

    def _operand(self, operand: Operand) -> str:
        match operand:
            case FeatureValue(key):
                return self._feature(key)
            case Ranked(_, key):
                self._feature(key)
                return f"placed.{self._places.setdefault(operand, f'place_{len(self._places)}')}"
            case ProductBalance(code):
                held = f"sum(balance) FILTER (product = {self._value(code)})"
                return f"coalesce({self._column(Source.holding, held)}, 0)"
            case EventValue(Measure.first, type_):
                return self._extreme("min", type_)
            case EventValue(Measure.last, type_):
                return self._extreme("max", type_)
            case EventValue():
                return self._windowed(operand)

    def _feature(self, key: str) -> str:
        feature = self._catalogue[key]
        if feature.source is Source.customer:
            return feature.expression
        if feature.source is Source.derived:
            parts = {name: f"({self._feature(name)})" for name in feature.uses}
            return f"({feature.expression.format_map(parts)})"
        if feature.tree is not None:
            return _finite(self._expression(feature.tree))
        if feature.source is Source.event:
            self._events.include(feature.types, feature.days)
        return _filled(feature, self._column(feature.source, feature.expression))

    def _expression(self, node: Expression) -> str:  # noqa: PLR0911 - one form each
        """In double precision throughout: decimals would overflow, and differ by order of operations."""
        match node:
            case Constant(value):
                return f"{self._value(value)}::DOUBLE"
            case Measured(operand):
                return f"({self._operand(operand)})::DOUBLE"
            case Arithmetic(Sign.over, left, right):
                return f"({self._expression(left)} / nullif({self._expression(right)}, 0))"
            case Arithmetic(sign, left, right):
                return f"({self._expression(left)} {sign} {self._expression(right)})"
            case Negative(item):
                return f"(-{self._expression(item)})"
            case Call(Named.round, (item, Constant(places))):
                return f"round({self._expression(item)}, {int(places)})"
            case Call(function, items):
                return f"{function}({', '.join(self._expression(item) for item in items)})"

    def _extreme(self, aggregate: str, type_: str) -> str:
        self._events.include((type_,), None)
        return self._column(Source.event, f"{aggregate}(time) FILTER (type = {self._value(type_)})")

    def _windowed(self, value: EventValue) -> str:
        column = self._column(Source.event, f"{self._aggregate(value)} FILTER ({self.event_filter(value)})")
        self._events.include((value.type,), value.days)
        return column if value.measure in _UNKNOWN_WHEN_NONE else f"coalesce({column}, 0)"

    def _aggregate(self, value: EventValue) -> str:
        if value.measure is Measure.count or value.field is None:
            return "count(*)"
        if value.measure is Measure.distinct:
            return f"count(DISTINCT {self._field(value.field, numeric=False)})"
        return f"{_AGGREGATES[value.measure]}({self._field(value.field, numeric=True)})"

    def event_filter(self, value: EventValue) -> str:
        """Which events a measure takes, as a condition on the rows of `event`."""
        conditions = [f"type = {self._value(value.type)}"]
        if value.days is not None:
            conditions.append(f"time > $t - to_days({self._value(value.days)})")
        conditions += [self._field_test(test) for test in value.where]
        return " AND ".join(conditions)

    def _field_test(self, test: FieldTest) -> str:
        numeric = not test.values or not isinstance(test.values[0], str | bool)
        column = self._field(test.field, numeric=numeric and bool(test.values))
        values = [str(value).lower() if isinstance(value, bool) else value for value in test.values]
        return self._compared(column, test.op, [self._value(value) for value in values])

    def _field(self, name: str, *, numeric: bool) -> str:
        if name in TYPED_FIELDS:
            return name
        text = f"json_extract_string(data, {self._value('$.' + name)})"
        return f"TRY_CAST({text} AS DECIMAL(24, 6))" if numeric else text


def _filled(feature: Feature, column: str) -> str:
    return column if feature.missing is Missing.unknown else f"coalesce({column}, {feature.missing})"


def _finite(sql: str) -> str:
    """What is too large to be a number is unknown."""
    return f"nullif(nullif(nullif({sql}, 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE)"
