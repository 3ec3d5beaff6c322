"""A checked tree written back as a JSON condition tree."""

from datetime import date
from decimal import Decimal

from services.segmentation.domain.rules.tree import (
    Again,
    All,
    AnyOf,
    EventValue,
    FeatureValue,
    Function,
    HasProduct,
    InSegment,
    MaturesWithin,
    Never,
    Not,
    Op,
    Operand,
    ProductBalance,
    Ranked,
    Related,
    Rule,
    Sequence,
    Stopped,
    Test,
    Unknown,
    Value,
)
from shared.contracts.conditions import (
    AgainCondition,
    AllOf,
    Condition,
    EventCondition,
    EventFilter,
    FeatureCondition,
    MaturityCondition,
    NotOf,
    PercentileCondition,
    ProductCondition,
    RankCondition,
    RelatedCondition,
    Scalar,
    SegmentCondition,
    SequenceCondition,
    UnknownOf,
)
from shared.contracts.conditions import AnyOf as AnyCondition


def to_condition(rule: Rule) -> Condition:
    """The JSON form: `from_condition(to_condition(rule)) == rule`."""
    match rule:
        case All(items):
            return AllOf(all=[to_condition(item) for item in items])
        case AnyOf(items):
            return AnyCondition(any=[to_condition(item) for item in items])
        case Not(item):
            return NotOf.model_validate({"not": to_condition(item)})
        case Unknown(item):
            return UnknownOf(unknown=to_condition(item))
        case Test(operand, op, values):
            return _test_condition(operand, op, _json_value(op, values))
        case _:
            return _function_condition(rule)


def _function_condition(leaf: Function) -> Condition:  # noqa: PLR0911 - one form each
    match leaf:
        case Never(type_):
            return EventCondition(event=type_, measure="never")
        case Stopped(type_, days):
            return EventCondition(event=type_, measure="stopped", within_days=days)
        case Sequence(first, then, days, recent):
            return SequenceCondition(sequence=[first, then], within_days=days, recent_days=recent)
        case Again(type_, gap, recent):
            return AgainCondition(again=type_, gap_days=gap, recent_days=recent)
        case HasProduct(code):
            return ProductCondition(product=code)
        case MaturesWithin(days, after):
            return MaturityCondition(matures_within_days=days, matures_after_days=after)
        case InSegment(key):
            return SegmentCondition(segment=key)
        case Related(relation, key, direction):
            return RelatedCondition(related=relation, segment=key, direction=direction.value)


def _test_condition(operand: Operand, op: Op, value: Scalar | list[Scalar] | None) -> Condition:
    match operand:
        case FeatureValue(key):
            return FeatureCondition(feature=key, op=op.value, value=value)
        case ProductBalance(code):
            return ProductCondition(product=code, measure="balance", op=op.value, value=value)
        case Ranked("percentile", key, scope):
            return PercentileCondition(percentile=key, scope=scope.value, op=op.value, value=value)
        case Ranked(_, key, scope):
            return RankCondition(rank=key, scope=scope.value, op=op.value, value=value)
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
