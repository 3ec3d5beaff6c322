"""The SQL form of a rule read into the checked tree.

`sqlglot` parses; what it yields is never executed. Every node is matched against the few
forms of the rule language, anything else is refused with its position in the text.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from services.segmentation.domain.features import Catalogue, FeatureType
from services.segmentation.domain.rules import checks
from services.segmentation.domain.rules.problems import NOT_AVAILABLE, NotAvailable, RuleError
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
    all_of,
    any_of,
)

_OPS: dict[type[exp.Expr], Op] = {
    exp.EQ: Op.eq,
    exp.NEQ: Op.ne,
    exp.GT: Op.gt,
    exp.GTE: Op.gte,
    exp.LT: Op.lt,
    exp.LTE: Op.lte,
}
_FLIPPED = {Op.gt: Op.lt, Op.gte: Op.lte, Op.lt: Op.gt, Op.lte: Op.gte}
_TEMPORAL = {exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPNTZ}
FUNCTIONS = (
    "count_events",
    "sum_events",
    "avg_events",
    "min_events",
    "max_events",
    "distinct_events",
    "first_event",
    "last_event",
    "never",
    "stopped",
    "has_product",
    "product_balance",
    "matures_within",
    "in_segment",
)
T = TypeVar("T")


def parse_sql(text: str, catalogue: Catalogue, pointer: str = "/definition/sql") -> Rule:
    """The checked tree of a rule text; `RuleError` says what is wrong at which line and column."""
    return _Reader(text, catalogue, pointer).read()


class _Reader:
    def __init__(self, text: str, catalogue: Catalogue, pointer: str) -> None:
        self._text = text
        self._catalogue = catalogue
        self._pointer = pointer
        self._leaves = 0

    def read(self) -> Rule:
        if len(self._text) > checks.MAX_TEXT:
            raise RuleError(f"a rule has at most {checks.MAX_TEXT} characters", self._pointer)
        _refuse_deep_nesting(self._text, self._pointer)
        try:
            parsed = sqlglot.parse(self._text, read="duckdb")
        except ParseError as error:
            raise self._unparsable(error) from None
        except (TokenError, RecursionError):
            raise RuleError("the text is not a complete SQL expression", self._pointer) from None
        if len(parsed) != 1 or parsed[0] is None:
            raise RuleError("one boolean expression is expected", self._pointer)
        return self._rule(parsed[0], 0)

    def _unparsable(self, error: ParseError) -> RuleError:
        first = error.errors[0] if error.errors else {}
        near = first.get("highlight") or "the end"
        place = f"line {first.get('line', 1)}, column {first.get('col', 1)}"
        return RuleError(f"not an SQL expression near '{near}' ({place})", self._pointer)

    def _wrong(self, detail: str, node: exp.Expr, kind: type[RuleError] = RuleError) -> RuleError:
        return kind(f"{detail} ({self._place(node)})", self._pointer)

    def _place(self, node: exp.Expr) -> str:
        starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
        start = min(starts, default=0)
        before = self._text[:start]
        return f"line {before.count(chr(10)) + 1}, column {start - before.rfind(chr(10))}"

    def _checked(self, check: Callable[[], T], node: exp.Expr) -> T:
        """Runs a shared check; its error gets the position in the text."""
        try:
            return check()
        except RuleError as error:
            raise self._wrong(error.detail, node, type(error)) from None

    # ── logic ──

    def _rule(self, node: exp.Expr, depth: int) -> Rule:
        if depth > checks.MAX_DEPTH:
            raise self._wrong(f"conditions nest at most {checks.MAX_DEPTH} deep", node)
        if isinstance(node, exp.And):
            return all_of([self._rule(part, depth + 1) for part in _chain(node, exp.And)])
        if isinstance(node, exp.Or):
            return any_of([self._rule(part, depth + 1) for part in _chain(node, exp.Or)])
        if isinstance(node, exp.Paren):
            return self._rule(node.this, depth + 1)
        if isinstance(node, exp.Not):
            return self._negation(node, depth)
        self._leaves += 1
        if self._leaves > checks.MAX_LEAVES:
            raise self._wrong(f"a rule has at most {checks.MAX_LEAVES} conditions", node)
        return self._leaf(node)

    def _negation(self, node: exp.Not, depth: int) -> Rule:
        inner = node.this
        if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
            self._leaves += 1
            return Test(self._operand(inner.this), Op.is_not_null)
        return Not(self._rule(inner, depth + 1))

    # ── leaves ──

    def _leaf(self, node: exp.Expr) -> Rule:
        if type(node) in _OPS:
            return self._comparison(node)
        if isinstance(node, exp.Between | exp.In | exp.Is):
            left, op, raw = self._set_test(node)
            return self._test(self._operand(left), op, raw, node)
        if isinstance(node, exp.Anonymous):
            return self._condition(node)
        if isinstance(node, exp.Column):
            operand = self._operand(node)
            if checks.operand_type(operand, self._catalogue) is FeatureType.boolean:
                return Test(operand, Op.eq, (True,))
            raise self._wrong(f"'{node.name}' is not a condition: compare it with something", node)
        raise self._wrong(f"'{_shown(node)}' is not a condition of the rule language", node)

    def _comparison(self, node: exp.Expr) -> Test:
        op, left, right = _OPS[type(node)], node.this, node.expression
        if _is_constant(left) and not _is_constant(right):
            left, right, op = right, left, _FLIPPED.get(op, op)
        return self._test(self._operand(left), op, [self._constant(right)], node)

    def _set_test(self, node: exp.Between | exp.In | exp.Is) -> tuple[exp.Expr, Op, list[object]]:
        """The parts of `between`, `in` and `is null`."""
        extra = {name for name, value in node.args.items() if value} - {
            "this",
            "low",
            "high",
            "expressions",
            "expression",
        }
        if extra:
            raise self._wrong(f"'{_shown(node)}' is not a condition of the rule language", node)
        if isinstance(node, exp.Between):
            bounds: list[object] = [self._constant(node.args["low"]), self._constant(node.args["high"])]
            return node.this, Op.between, bounds
        if isinstance(node, exp.In):
            return node.this, Op.in_, [self._constant(item) for item in node.expressions]
        if isinstance(node.expression, exp.Null):
            return node.this, Op.is_null, []
        raise self._wrong("only 'is null' and 'is not null' are possible; write '= true'", node)

    def _test(self, operand: Operand, op: Op, raw: list[object], node: exp.Expr) -> Test:
        kind = checks.operand_type(operand, self._catalogue)
        values = self._checked(lambda: checks.compared(op, raw, kind, self._pointer), node)
        return Test(operand, op, values)

    def _operand(self, node: exp.Expr) -> Operand:
        if isinstance(node, exp.Column):
            name = self._column(node)
            self._checked(lambda: checks.feature_key(name, self._catalogue, self._pointer), node)
            return FeatureValue(name)
        if isinstance(node, exp.Anonymous):
            return self._measure(node)
        raise self._wrong(f"'{_shown(node)}' cannot be compared: a feature or a measure is expected", node)

    def _column(self, node: exp.Expr) -> str:
        plain = (
            isinstance(node, exp.Column) and len(node.parts) == 1 and isinstance(node.this, exp.Identifier)
        )
        if not plain:
            raise self._wrong(f"'{_shown(node)}' is not a name", node)
        return str(node.name)

    def _constant(self, node: exp.Expr) -> object:
        match node:
            case exp.Literal(is_string=True) | exp.Cast(this=exp.Literal(is_string=True)):
                return self._text_constant(node)
            case exp.Literal():
                return self._number(node, str(node.this))
            case exp.Boolean():
                return bool(node.this)
            case exp.Neg(this=exp.Literal(is_string=False) as literal):
                return self._number(literal, f"-{literal.this}")
            case _:
                raise self._wrong(f"'{_shown(node)}' is not a constant", node)

    def _text_constant(self, node: exp.Expr) -> str:
        """'…', or date '…' and timestamp '…', which say no more than the text does."""
        if isinstance(node, exp.Cast):
            if node.to.this not in _TEMPORAL or type(node) is not exp.Cast:
                raise self._wrong(f"'{_shown(node)}' is not a constant", node)
            return str(node.this.this)
        return str(node.this)

    def _number(self, node: exp.Expr, text: str) -> Decimal:
        try:
            return Decimal(text)
        except InvalidOperation:
            raise self._wrong(f"'{text}' is not a number", node) from None

    # ── functions ──

    def _condition(self, node: exp.Anonymous) -> Rule:
        """A function that is a condition by itself."""
        name = self._function(node)
        match name:
            case "never":
                return Never(self._event_type(*self._arguments(node, 1)))
            case "stopped":
                type_, days = self._arguments(node, 2)
                return Stopped(self._event_type(type_), self._days(days))
            case "has_product":
                return HasProduct(self._name(checks.product_code, *self._arguments(node, 1)))
            case "matures_within":
                return MaturesWithin(self._days(*self._arguments(node, 1)))
            case "in_segment":
                return InSegment(self._name(checks.segment_key, *self._arguments(node, 1)))
            case _:
                raise self._wrong(f"'{name}(…)' is not a condition: compare it with something", node)

    def _measure(self, node: exp.Anonymous) -> Operand:
        """A function whose value is compared."""
        name = self._function(node)
        if name == "product_balance":
            return ProductBalance(self._name(checks.product_code, *self._arguments(node, 1)))
        if name in {"first_event", "last_event"}:
            return EventValue(
                Measure(name.removesuffix("_event")), self._event_type(*self._arguments(node, 1))
            )
        if not name.endswith("_events"):
            raise self._wrong(f"'{name}(…)' is a condition by itself and cannot be compared", node)
        return self._windowed(node, Measure(name.removesuffix("_events")))

    def _windowed(self, node: exp.Anonymous, measure: Measure) -> EventValue:
        fixed = 2 if measure is Measure.count else 3
        arguments = self._arguments(node, fixed, fixed + 1)
        field = None
        if measure is not Measure.count:
            named = self._column(arguments[1])
            field = self._checked(lambda: checks.measured_field(measure, named, self._pointer), arguments[1])
        where = (
            tuple(self._filter(part) for part in _chain(arguments[fixed], exp.And))
            if arguments[fixed:]
            else ()
        )
        return EventValue(
            measure, self._event_type(arguments[0]), field, self._days(arguments[fixed - 1]), where
        )

    def _filter(self, node: exp.Expr) -> FieldTest:
        """One comparison of an event filter; comparisons are joined by `and` only."""
        if isinstance(node, exp.Paren):
            return self._filter(node.this)
        negated = isinstance(node, exp.Not)
        inner = node.this if negated else node
        left, op, raw = self._filter_parts(inner)
        if negated and op is not Op.is_null:
            raise self._wrong("an event filter is made of comparisons joined by 'and'", node)
        op = Op.is_not_null if negated else op
        named = self._column(left)
        field = self._checked(lambda: checks.event_field(named, self._pointer), left)
        kind = checks.field_type(field, op, raw)
        values = self._checked(lambda: checks.compared(op, raw, kind, self._pointer), node)
        return FieldTest(field, op, values)

    def _filter_parts(self, node: exp.Expr) -> tuple[exp.Expr, Op, list[object]]:
        if isinstance(node, exp.Between | exp.In | exp.Is):
            return self._set_test(node)
        op = _OPS.get(type(node))
        if op is None:
            raise self._wrong("an event filter is made of comparisons joined by 'and'", node)
        if _is_constant(node.this):
            return node.expression, _FLIPPED.get(op, op), [self._constant(node.this)]
        return node.this, op, [self._constant(node.expression)]

    def _function(self, node: exp.Anonymous) -> str:
        name = str(node.this)
        if name in NOT_AVAILABLE:
            raise self._wrong(f"'{name}' is not available yet", node, NotAvailable)
        if name not in FUNCTIONS:
            raise self._wrong(f"there is no function '{name}'; there are: {', '.join(FUNCTIONS)}", node)
        return name

    def _arguments(self, node: exp.Anonymous, least: int, most: int | None = None) -> list[exp.Expr]:
        found = node.expressions
        if not least <= len(found) <= (most or least):
            takes = f"{least}" if most is None else f"{least} or {most}"
            raise self._wrong(f"'{node.this}' takes {takes} arguments, not {len(found)}", node)
        return list(found)

    def _event_type(self, node: exp.Expr) -> str:
        return self._name(checks.event_type, node)

    def _name(self, check: Callable[[str, str], str], node: exp.Expr) -> str:
        if not (isinstance(node, exp.Literal) and node.is_string):
            raise self._wrong(f"'{_shown(node)}' must be a name in quotes", node)
        return self._checked(lambda: check(str(node.this), self._pointer), node)

    def _days(self, node: exp.Expr) -> int:
        raw = int(node.this) if isinstance(node, exp.Literal) and str(node.this).isdecimal() else None
        return self._checked(lambda: checks.days(raw, self._pointer), node)


def _chain(node: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """The operands of `a and b and c`, which is parsed as a left-deep tree, without recursion."""
    parts: list[exp.Expr] = []
    while isinstance(node, kind):
        parts.append(node.args["expression"])
        node = node.this
    return [node, *reversed(parts)]


def _is_constant(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal | exp.Boolean | exp.Neg | exp.Cast | exp.Null)


def _shown(node: exp.Expr) -> str:
    text = node.sql(dialect="duckdb", comments=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _refuse_deep_nesting(text: str, pointer: str) -> None:
    """Before parsing: a recursive parser must not be led into the depth."""
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth > 2 * checks.MAX_DEPTH:
            raise RuleError(
                f"parentheses nest at most {2 * checks.MAX_DEPTH} deep (column {position + 1})", pointer
            )
