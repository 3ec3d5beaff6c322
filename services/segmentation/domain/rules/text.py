"""A checked tree written back: canonical SQL text, JSON condition tree, hash."""

import hashlib
from datetime import date
from decimal import Decimal

from services.segmentation.domain.rules.tree import (
    All,
    AnyOf,
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
)
from shared.contracts.conditions import (
    AllOf,
    Condition,
    EventCondition,
    EventFilter,
    FeatureCondition,
    MaturityCondition,
    NotOf,
    ProductCondition,
    Scalar,
    SegmentCondition,
)
from shared.contracts.conditions import AnyOf as AnyCondition

_SIGNS = {Op.eq: "=", Op.ne: "<>", Op.gt: ">", Op.gte: ">=", Op.lt: "<", Op.lte: "<="}


def to_sql(rule: Rule) -> str:
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
        case Test(operand, op, values):
            return _compared(_operand(operand), op, values)
        case _:
            return _function(rule)


def _function(leaf: Never | Stopped | HasProduct | MaturesWithin | InSegment) -> str:
    match leaf:
        case Never(type_):
            return f"never({_quoted(type_)})"
        case Stopped(type_, days):
            return f"stopped({_quoted(type_)}, {days})"
        case HasProduct(code):
            return f"has_product({_quoted(code)})"
        case MaturesWithin(days):
            return f"matures_within({days})"
        case InSegment(key):
            return f"in_segment({_quoted(key)})"


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
        case _:
            return to_sql(rule)


def _enclosed(rule: Rule) -> str:
    return f"({to_sql(rule)})" if isinstance(rule, All | AnyOf) else to_sql(rule)


def _operand(operand: Operand) -> str:
    match operand:
        case FeatureValue(key):
            return key
        case ProductBalance(code):
            return f"product_balance({_quoted(code)})"
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


def to_condition(rule: Rule) -> Condition:
    """The JSON form: `from_condition(to_condition(rule)) == rule`."""
    match rule:
        case All(items):
            return AllOf(all=[to_condition(item) for item in items])
        case AnyOf(items):
            return AnyCondition(any=[to_condition(item) for item in items])
        case Not(item):
            return NotOf.model_validate({"not": to_condition(item)})
        case Test(operand, op, values):
            return _test_condition(operand, op, _json_value(op, values))
        case _:
            return _function_condition(rule)


def _function_condition(leaf: Never | Stopped | HasProduct | MaturesWithin | InSegment) -> Condition:
    match leaf:
        case Never(type_):
            return EventCondition(event=type_, measure="never")
        case Stopped(type_, days):
            return EventCondition(event=type_, measure="stopped", within_days=days)
        case HasProduct(code):
            return ProductCondition(product=code)
        case MaturesWithin(days):
            return MaturityCondition(matures_within_days=days)
        case InSegment(key):
            return SegmentCondition(segment=key)


def _test_condition(operand: Operand, op: Op, value: Scalar | list[Scalar] | None) -> Condition:
    match operand:
        case FeatureValue(key):
            return FeatureCondition(feature=key, op=op.value, value=value)
        case ProductBalance(code):
            return ProductCondition(product=code, measure="balance", op=op.value, value=value)
        case EventValue(measure, type_, field, days, where):
            return EventCondition(
                event=type_,
                measure=measure.value,
                field=field,
                within_days=days,
                where=[
                    EventFilter(field=test.field, op=test.op.value, value=_json_value(test.op, test.values))
                    for test in where
                ],
                op=op.value,
                value=value,
            )


def _json_value(op: Op, values: tuple[Value, ...]) -> Scalar | list[Scalar] | None:
    plain = [_scalar(value) for value in values]
    if op in {Op.between, Op.in_}:
        return plain
    return plain[0] if plain else None


def _scalar(value: Value) -> Scalar:
    match value:
        case Decimal():
            return float(value)
        case date():
            return value.isoformat()
        case _:
            return value
