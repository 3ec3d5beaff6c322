"""The JSON condition tree read into the checked tree."""

from services.segmentation.domain.features import Catalogue, FeatureType
from services.segmentation.domain.rules import checks
from services.segmentation.domain.rules.problems import RuleError
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
    all_of,
    any_of,
)
from shared.contracts.conditions import (
    AgainCondition,
    AllOf,
    AnyOf,
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

_LeafCondition = (
    FeatureCondition
    | EventCondition
    | SequenceCondition
    | AgainCondition
    | ProductCondition
    | MaturityCondition
    | PercentileCondition
    | RankCondition
    | RelatedCondition
    | SegmentCondition
)


def from_condition(condition: Condition, catalogue: Catalogue, pointer: str = "/definition") -> Rule:
    """The checked tree of a JSON condition; `RuleError` points into the request."""
    return _Reader(catalogue).rule(condition, pointer, 0)


class _Reader:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._leaves = 0

    def rule(self, node: Condition, at: str, depth: int) -> Rule:
        if depth > checks.MAX_DEPTH:
            raise RuleError(f"conditions nest at most {checks.MAX_DEPTH} deep", at)
        match node:
            case AllOf():
                return all_of([self.rule(n, f"{at}/all/{i}", depth + 1) for i, n in enumerate(node.all)])
            case AnyOf():
                return any_of([self.rule(n, f"{at}/any/{i}", depth + 1) for i, n in enumerate(node.any)])
            case NotOf():
                return Not(self.rule(node.condition, f"{at}/not", depth + 1))
            case UnknownOf():
                return Unknown(self.rule(node.unknown, f"{at}/unknown", depth + 1))
            case _:
                self._count(at)
                return self._leaf(node, at)

    def _count(self, at: str) -> None:
        self._leaves += 1
        if self._leaves > checks.MAX_LEAVES:
            raise RuleError(f"a rule has at most {checks.MAX_LEAVES} conditions", at)

    def _leaf(self, node: _LeafCondition, at: str) -> Rule:
        match node:
            case FeatureCondition() | PercentileCondition() | RankCondition():
                return self._test(self._feature_value(node, at), node.op, node.value, at)
            case EventCondition():
                return self._event(node, at)
            case ProductCondition():
                return self._product(node, at)
            case _:
                return _function(node, at)

    def _feature_value(
        self, node: FeatureCondition | PercentileCondition | RankCondition, at: str
    ) -> FeatureValue | Ranked:
        match node:
            case FeatureCondition(feature=key):
                return FeatureValue(checks.feature_key(key, self._catalogue, f"{at}/feature"))
            case PercentileCondition(percentile=key):
                key = checks.ranked_key(key, self._catalogue, f"{at}/percentile")
                return Ranked("percentile", key, Scope(node.scope))
            case RankCondition(rank=key):
                key = checks.ranked_key(key, self._catalogue, f"{at}/rank")
                return Ranked("rank", key, Scope(node.scope))

    def _test(self, operand: Operand, op: str | None, value: Scalar | list[Scalar] | None, at: str) -> Test:
        if op is None:
            raise RuleError("is required", f"{at}/op")
        kind = checks.operand_type(operand, self._catalogue)
        values = checks.compared(Op(op), _listed(Op(op), value, at), kind, f"{at}/value")
        return Test(operand, Op(op), values)

    def _product(self, node: ProductCondition, at: str) -> Rule:
        code = checks.product_code(node.product, f"{at}/product")
        if node.measure == "balance":
            return self._test(ProductBalance(code), node.op, node.value, at)
        _absent(f"{at}/op", node.op)
        _absent(f"{at}/value", node.value)
        return HasProduct(code)

    def _event(self, node: EventCondition, at: str) -> Rule:
        type_ = checks.event_type(node.event, f"{at}/event")
        if node.measure in {"never", "stopped"}:
            for name in ("field", "op", "value"):
                _absent(f"{at}/{name}", getattr(node, name))
            _absent(f"{at}/where", node.where or None)
            if node.measure == "never":
                _absent(f"{at}/within_days", node.within_days)
                return Never(type_)
            return Stopped(type_, checks.days(node.within_days, f"{at}/within_days"))
        return self._test(self._event_value(node, type_, at), node.op, node.value, at)

    def _event_value(self, node: EventCondition, type_: str, at: str) -> EventValue:
        measure = Measure(node.measure)
        if measure in {Measure.first, Measure.last}:
            for name in ("field", "within_days"):
                _absent(f"{at}/{name}", getattr(node, name))
            _absent(f"{at}/where", node.where or None)
            return EventValue(measure, type_)
        field = None
        if measure is Measure.count:
            _absent(f"{at}/field", node.field)
        else:
            field = checks.measured_field(measure, node.field or "", f"{at}/field")
        where = tuple(_filter(item, f"{at}/where/{i}") for i, item in enumerate(node.where))
        return EventValue(measure, type_, field, checks.days(node.within_days, f"{at}/within_days"), where)


def _function(
    node: SequenceCondition | AgainCondition | MaturityCondition | RelatedCondition | SegmentCondition,
    at: str,
) -> Rule:
    match node:
        case SequenceCondition(sequence=[first, then]):
            pair = (checks.event_type(first, f"{at}/sequence/0"), checks.event_type(then, f"{at}/sequence/1"))
            return Sequence(*pair, node.within_days, node.recent_days)
        case SequenceCondition():
            raise RuleError("takes two event types", f"{at}/sequence")
        case AgainCondition():
            return Again(checks.event_type(node.again, f"{at}/again"), node.gap_days, node.recent_days)
        case MaturityCondition():
            after = checks.after(
                node.matures_after_days, node.matures_within_days, f"{at}/matures_after_days"
            )
            return MaturesWithin(node.matures_within_days, after)
        case RelatedCondition():
            relation = checks.relation(node.related, f"{at}/related")
            key = checks.segment_key(node.segment, f"{at}/segment")
            return Related(relation, key, Direction(node.direction))
        case SegmentCondition():
            return InSegment(checks.segment_key(node.segment, f"{at}/segment"))


def _filter(item: EventFilter, at: str) -> FieldTest:
    field, op = checks.event_field(item.field, f"{at}/field"), Op(item.op)
    raw = _listed(op, item.value, at)
    kind: FeatureType = checks.field_type(field, op, raw)
    return FieldTest(field, op, checks.compared(op, raw, kind, f"{at}/value"))


def _listed(op: Op, value: Scalar | list[Scalar] | None, at: str) -> list[object]:
    if op in {Op.between, Op.in_}:
        if not isinstance(value, list):
            raise RuleError(f"'{op}' takes a list", f"{at}/value")
        return list(value)
    if isinstance(value, list):
        raise RuleError(f"'{op}' takes one value, not a list", f"{at}/value")
    return [] if value is None else [value]


def _absent(pointer: str, value: object) -> None:
    if value is not None:
        raise RuleError("does not belong to this condition", pointer)
