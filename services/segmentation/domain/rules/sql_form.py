"""The SQL form of a rule read into the checked tree."""

from typing import TypeVar

from sqlglot import exp

from services.segmentation.domain.features import Catalogue, FeatureType
from services.segmentation.domain.rules import checks
from services.segmentation.domain.rules.sql_reader import (
    FLIPPED,
    MEASURES,
    OPS,
    SqlReader,
    called,
    chain,
    is_constant,
    shown,
)
from services.segmentation.domain.rules.tree import (
    Again,
    Direction,
    EventValue,
    FeatureValue,
    HasProduct,
    InSegment,
    MaturesWithin,
    Measure,
    Never,
    Not,
    Op,
    Operand,
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

_TIMES = ("first_event", "last_event")
_RANKS = ("percentile", "rank")
_CONDITIONS = (
    "never",
    "stopped",
    "sequence",
    "again",
    "has_product",
    "matures_within",
    "in_segment",
    "related",
)
FUNCTIONS = (*MEASURES, *_TIMES, *_RANKS, *_CONDITIONS)
Word = TypeVar("Word", Scope, Direction)


def parse_sql(text: str, catalogue: Catalogue, pointer: str = "/definition/sql") -> Rule:
    """The checked tree of a rule text; `RuleError` says what is wrong at which line and column."""
    reader = _Reader(text, catalogue, pointer, "a rule")
    return reader.rule(reader.parsed(), 0)


class _Reader(SqlReader):
    _leaves = 0

    # ── logic ──

    def rule(self, node: exp.Expr, depth: int) -> Rule:
        if depth > checks.MAX_DEPTH:
            raise self.wrong(f"conditions nest at most {checks.MAX_DEPTH} deep", node)
        if isinstance(node, exp.And):
            return all_of([self.rule(part, depth + 1) for part in chain(node, exp.And)])
        if isinstance(node, exp.Or):
            return any_of([self.rule(part, depth + 1) for part in chain(node, exp.Or)])
        if isinstance(node, exp.Paren):
            return self.rule(node.this, depth + 1)
        if isinstance(node, exp.Not):
            return self._negation(node, depth)
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return self._unknown(node, depth, negated=False)
        return self._leaf(node)

    def _negation(self, node: exp.Not, depth: int) -> Rule:
        inner = node.this
        if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
            return self._unknown(inner, depth, negated=True)
        return Not(self.rule(inner, depth + 1))

    def _unknown(self, node: exp.Is, depth: int, *, negated: bool) -> Rule:
        """`is unknown` of a value is `is null`; of a condition it asks for its truth."""
        inner = node.this
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Column) or called(inner) in (*MEASURES, *_TIMES, *_RANKS):
            self._count(node)
            return Test(self._operand(inner), Op.is_not_null if negated else Op.is_null)
        found = Unknown(self.rule(inner, depth + 1))
        return Not(found) if negated else found

    # ── leaves ──

    def _count(self, node: exp.Expr) -> None:
        self._leaves += 1
        if self._leaves > checks.MAX_LEAVES:
            raise self.wrong(f"a rule has at most {checks.MAX_LEAVES} conditions", node)

    def _leaf(self, node: exp.Expr) -> Rule:
        self._count(node)
        if type(node) in OPS:
            return self._comparison(node)
        if isinstance(node, exp.Between | exp.In | exp.Is):
            left, op, raw = self.set_test(node)
            return self._test(self._operand(left), op, raw, node)
        if isinstance(node, exp.Anonymous | exp.Rank):
            return self._condition(node)
        if isinstance(node, exp.Column):
            operand = self._operand(node)
            if checks.operand_type(operand, self.catalogue) is FeatureType.boolean:
                return Test(operand, Op.eq, (True,))
            raise self.wrong(f"'{node.name}' is not a condition: compare it with something", node)
        raise self.wrong(f"'{shown(node)}' is not a condition of the rule language", node)

    def _comparison(self, node: exp.Expr) -> Test:
        op, left, right = OPS[type(node)], node.this, node.expression
        if is_constant(left) and not is_constant(right):
            left, right, op = right, left, FLIPPED.get(op, op)
        return self._test(self._operand(left), op, [self.constant(right)], node)

    def _test(self, operand: Operand, op: Op, raw: list[object], node: exp.Expr) -> Test:
        kind = checks.operand_type(operand, self.catalogue)
        values = self.checked(lambda: checks.compared(op, raw, kind, self.pointer), node)
        return Test(operand, op, values)

    def _operand(self, node: exp.Expr) -> Operand:
        if isinstance(node, exp.Column):
            return FeatureValue(self._feature(node))
        name = self._function(node)
        if name in MEASURES:
            return self.measure(node)
        if name in _TIMES:
            type_ = self.name(checks.event_type, self.arguments(node, 1)[0])
            return EventValue(Measure(name.removesuffix("_event")), type_)
        if name in _RANKS:
            return self._ranked(node, name)
        if name:
            raise self.wrong(f"'{name}' is a condition by itself and cannot be compared", node)
        raise self.wrong(f"'{shown(node)}' cannot be compared: a feature or a measure is expected", node)

    def _feature(self, node: exp.Expr) -> str:
        name = self.column(node)
        return self.checked(lambda: checks.feature_key(name, self.catalogue, self.pointer), node)

    def _ranked(self, node: exp.Expr, name: str) -> Ranked:
        feature, *scopes = self.arguments(node, 1, 2)
        named = self.column(feature)
        key = self.checked(lambda: checks.ranked_key(named, self.catalogue, self.pointer), feature)
        scope = self._word(scopes[0], Scope) if scopes else Scope.org
        return Ranked("percentile" if name == "percentile" else "rank", key, scope)

    # ── functions ──

    def _condition(self, node: exp.Expr) -> Rule:  # noqa: PLR0911 - one form each
        """A function that is a condition by itself."""
        name = self._function(node)
        match name:
            case "never":
                return Never(self.name(checks.event_type, self.arguments(node, 1)[0]))
            case "stopped":
                type_, days = self.arguments(node, 2)
                return Stopped(self.name(checks.event_type, type_), self.days(days))
            case "has_product":
                return HasProduct(self.name(checks.product_code, self.arguments(node, 1)[0]))
            case "in_segment":
                return InSegment(self.name(checks.segment_key, self.arguments(node, 1)[0]))
            case "sequence" | "again":
                return self._repeated(node, name)
            case "matures_within":
                return self._maturity(node)
            case "related":
                return self._relation(node)
            case _:
                raise self.wrong(f"'{name}' has a value: compare it with something", node)

    def _repeated(self, node: exp.Expr, name: str) -> Sequence | Again:
        types = 2 if name == "sequence" else 1
        found = self.arguments(node, types + 1, types + 2)
        names = [self.name(checks.event_type, each) for each in found[:types]]
        days, *recent = (self.days(each) for each in found[types:])
        latest = recent[0] if recent else None
        return Sequence(names[0], names[1], days, latest) if types == 2 else Again(names[0], days, latest)

    def _maturity(self, node: exp.Expr) -> MaturesWithin:
        far, *near = self.arguments(node, 1, 2)
        days = self.days(far)
        if not near:
            return MaturesWithin(days)
        raw = self.whole(near[0])
        return MaturesWithin(days, self.checked(lambda: checks.after(raw, days, self.pointer), near[0]))

    def _relation(self, node: exp.Expr) -> Related:
        relation, segment, *directions = self.arguments(node, 2, 3)
        way = self._word(directions[0], Direction) if directions else Direction.out
        return Related(self.name(checks.relation, relation), self.name(checks.segment_key, segment), way)

    def _word(self, node: exp.Expr, words: type[Word]) -> Word:
        text = self.name(lambda name, _: name, node)
        if text not in {str(word) for word in words}:
            raise self.wrong(f"'{text}' must be one of: {', '.join(words)}", node)
        return words(text)

    def _function(self, node: exp.Expr) -> str:
        name = called(node)
        if name and name not in FUNCTIONS:
            raise self.wrong(f"there is no function '{name}'; there are: {', '.join(FUNCTIONS)}", node)
        return name
