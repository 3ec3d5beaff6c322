"""A checked tree written back as its one SQL text, and its hash."""

import hashlib
from decimal import Decimal

from services.segmentation.domain.rules.tree import (
    Again,
    All,
    AnyOf,
    Direction,
    EventValue,
    FeatureValue,
    FieldTest,
    Function,
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
)

_SIGNS = {Op.eq: "=", Op.ne: "<>", Op.gt: ">", Op.gte: ">=", Op.lt: "<", Op.lte: "<="}


def to_sql(rule: Rule) -> str:  # noqa: PLR0911 - one form each
    """The one SQL text of a rule: `parse_sql(to_sql(rule)) == rule`."""
    match rule:
        case All(items):
            return " and ".join(_enclosed(item) for item in items)
        case AnyOf(items):
            return " or ".join(_enclosed(item) for item in items)
        case Not(Test() as item):
            return f"not ({to_sql(item)})"
        case Not(item):
            return f"not {_enclosed(item)}"
        case Unknown(item):
            return f"({to_sql(item)}) is unknown"
        case Test(operand, op, values):
            return _compared(operand_sql(operand), op, values)
        case _:
            return _function(rule)


def _function(leaf: Function) -> str:  # noqa: PLR0911 - one form each
    match leaf:
        case Never(type_):
            return _called("never", _quoted(type_))
        case Stopped(type_, days):
            return _called("stopped", _quoted(type_), days)
        case Sequence(first, then, days, recent):
            return _called("sequence", _quoted(first), _quoted(then), days, recent)
        case Again(type_, gap, recent):
            return _called("again", _quoted(type_), gap, recent)
        case HasProduct(code):
            return _called("has_product", _quoted(code))
        case MaturesWithin(days, after):
            return _called("matures_within", days, after or None)
        case InSegment(key):
            return _called("in_segment", _quoted(key))
        case Related(relation, key, direction):
            way = None if direction is Direction.out else _quoted(direction)
            return _called("related", _quoted(relation), _quoted(key), way)


def _called(name: str, *arguments: str | int | None) -> str:
    return f"{name}({', '.join(str(each) for each in arguments if each is not None)})"


def digest(rule: Rule) -> str:
    """Equal for rules that differ only in the order of `and`/`or`; 64 hex digits."""
    return hashlib.sha256(_sorted(rule).encode()).hexdigest()


def _sorted(rule: Rule) -> str:
    match rule:
        case All(items):
            return f"and({','.join(sorted(_sorted(item) for item in items))})"
        case AnyOf(items):
            return f"or({','.join(sorted(_sorted(item) for item in items))})"
        case Not(item):
            return f"not({_sorted(item)})"
        case Unknown(item):
            return f"unknown({_sorted(item)})"
        case _:
            return to_sql(rule)


def _enclosed(rule: Rule) -> str:
    return f"({to_sql(rule)})" if isinstance(rule, All | AnyOf) else to_sql(rule)


def operand_sql(operand: Operand) -> str:
    match operand:
        case FeatureValue(key):
            return key
        case ProductBalance(code):
            return f"product_balance({_quoted(code)})"
        case Ranked(by, key, scope):
            return _called(by, key, None if scope is Scope.org else _quoted(scope))
        case EventValue(Measure.first | Measure.last as measure, type_):
            return f"{measure}_event({_quoted(type_)})"
        case EventValue(measure, type_, field, days, where):
            arguments = [_quoted(type_), *([field] if field else []), str(days)]
            if where:
                arguments.append(" and ".join(_field_test(test) for test in where))
            return f"{measure}_events({', '.join(arguments)})"


def _field_test(test: FieldTest) -> str:
    return _compared(test.field, test.op, test.values)


def _compared(left: str, op: Op, values: tuple[Value, ...]) -> str:
    constants = [_constant(value) for value in values]
    match op:
        case Op.between:
            return f"{left} between {constants[0]} and {constants[1]}"
        case Op.in_:
            return f"{left} in ({', '.join(constants)})"
        case Op.is_null:
            return f"{left} is null"
        case Op.is_not_null:
            return f"{left} is not null"
        case _:
            return f"{left} {_SIGNS[op]} {constants[0]}"


def _constant(value: Value) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | Decimal():
            return format(value, "f") if isinstance(value, Decimal) else str(value)
        case str():
            return _quoted(value)
        case _:
            return _quoted(value.isoformat())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
