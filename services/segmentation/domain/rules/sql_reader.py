"""What reading a rule and reading an expression have in common: text, places, constants, measures.

`sqlglot` parses; what it yields is never executed. Every node is matched against the few forms
of the language, anything else is refused with its position in the text.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules import checks
from services.segmentation.domain.rules.problems import RuleError
from services.segmentation.domain.rules.tree import EventValue, FieldTest, Measure, Op, ProductBalance

OPS: dict[type[exp.Expr], Op] = {
    exp.EQ: Op.eq,
    exp.NEQ: Op.ne,
    exp.GT: Op.gt,
    exp.GTE: Op.gte,
    exp.LT: Op.lt,
    exp.LTE: Op.lte,
}
FLIPPED = {Op.gt: Op.lt, Op.gte: Op.lte, Op.lt: Op.gt, Op.lte: Op.gte}
MEASURES = (
    "count_events",
    "sum_events",
    "avg_events",
    "min_events",
    "max_events",
    "distinct_events",
    "product_balance",
)
_TEMPORAL = {exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPNTZ}
_SET_PARTS = {"this", "low", "high", "expressions", "expression"}
_SHOWN = 60
T = TypeVar("T")


class SqlReader:
    """One text read once. `RuleError` says what is wrong at which line and column."""

    def __init__(self, text: str, catalogue: Catalogue, pointer: str, what: str) -> None:
        self.text = text
        self.catalogue = catalogue
        self.pointer = pointer
        self._what = what

    def parsed(self) -> exp.Expr:
        if len(self.text) > checks.MAX_TEXT:
            raise self.at(f"{self._what} has at most {checks.MAX_TEXT} characters", checks.MAX_TEXT)
        self._refuse_deep_nesting()
        try:
            parsed = sqlglot.parse(self.text, read="duckdb")
        except ParseError as error:
            raise self._unparsable(error) from None
        except TokenError:
            raise self.at(
                "the text ends inside of something, or has a letter that means nothing", len(self.text)
            ) from None
        except RecursionError:
            raise self.at("the text nests too deep", 0) from None
        if not parsed or parsed[0] is None:
            raise self.at(f"{self._what} is expected", 0)
        if len(parsed) > 1:
            raise self.at("there is more than one expression", self.text.find(";"))
        return parsed[0]

    def _refuse_deep_nesting(self) -> None:
        """Before parsing: a recursive parser must not be led into the depth."""
        depth = 0
        for position, letter in enumerate(self.text):
            depth += (letter in "([{") - (letter in ")]}")
            if depth > 2 * checks.MAX_DEPTH:
                raise self.at(f"parentheses nest at most {2 * checks.MAX_DEPTH} deep", position)

    def _unparsable(self, error: ParseError) -> RuleError:
        first = error.errors[0] if error.errors else {}
        near = first.get("highlight") or "the end"
        # The parser counts to the end of what it did not expect.
        column = max(int(first.get("col") or 1) - len(first.get("highlight") or " ") + 1, 1)
        place = f"line {first.get('line') or 1}, column {column}"
        return RuleError(f"not an SQL expression near '{near}' ({place})", self.pointer)

    # ── places ──

    def at(self, detail: str, offset: int) -> RuleError:
        return RuleError(f"{detail} ({self._place(max(offset, 0))})", self.pointer)

    def wrong(self, detail: str, node: exp.Expr) -> RuleError:
        starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
        return self.at(detail, min(starts, default=0))

    def _place(self, offset: int) -> str:
        before = self.text[:offset]
        return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"

    def checked(self, check: Callable[[], T], node: exp.Expr) -> T:
        """Runs a shared check; its error gets the position in the text."""
        try:
            return check()
        except RuleError as error:
            raise self.wrong(error.detail, node) from None

    # ── names and constants ──

    def column(self, node: exp.Expr) -> str:
        plain = (
            isinstance(node, exp.Column) and len(node.parts) == 1 and isinstance(node.this, exp.Identifier)
        )
        if not plain:
            raise self.wrong(f"'{shown(node)}' is not a name", node)
        return str(node.name)

    def constant(self, node: exp.Expr) -> object:
        match node:
            case exp.Literal(is_string=True) | exp.Cast(this=exp.Literal(is_string=True)):
                return self._text_constant(node)
            case exp.Literal():
                return self.number(node, str(node.this))
            case exp.Boolean():
                return bool(node.this)
            case exp.Neg(this=exp.Literal(is_string=False) as literal):
                return self.number(literal, f"-{literal.this}")
            case _:
                raise self.wrong(f"'{shown(node)}' is not a constant", node)

    def _text_constant(self, node: exp.Expr) -> str:
        """'…', or date '…' and timestamp '…', which say no more than the text does."""
        if isinstance(node, exp.Cast):
            if node.to.this not in _TEMPORAL or type(node) is not exp.Cast:
                raise self.wrong(f"'{shown(node)}' is not a constant", node)
            return str(node.this.this)
        return str(node.this)

    def number(self, node: exp.Expr, text: str) -> Decimal:
        try:
            return Decimal(text)
        except InvalidOperation:
            raise self.wrong(f"'{text}' is not a number", node) from None

    def whole(self, node: exp.Expr) -> int | None:
        """A literal whole number."""
        is_whole = isinstance(node, exp.Literal) and not node.is_string and _is_decimal(str(node.this))
        return int(node.this) if is_whole else None

    def days(self, node: exp.Expr) -> int:
        raw = self.whole(node)
        return self.checked(lambda: checks.days(raw, self.pointer), node)

    def name(self, check: Callable[[str, str], str], node: exp.Expr) -> str:
        if not (isinstance(node, exp.Literal) and node.is_string):
            raise self.wrong(f"'{shown(node)}' must be a name in quotes", node)
        return self.checked(lambda: check(str(node.this), self.pointer), node)

    def arguments(self, node: exp.Expr, least: int, most: int | None = None) -> list[exp.Expr]:
        found = node.expressions
        if not least <= len(found) <= (most or least):
            takes = f"{least}" if most is None else f"{least} to {most}"
            raise self.wrong(f"'{called(node)}' takes {takes} arguments, not {len(found)}", node)
        return list(found)

    # ── measures ──

    def measure(self, node: exp.Expr) -> EventValue | ProductBalance:
        """A function with a number as its value; its name is one of `MEASURES`."""
        name = called(node)
        if name == "product_balance":
            return ProductBalance(self.name(checks.product_code, self.arguments(node, 1)[0]))
        measure = Measure(name.removesuffix("_events"))
        fixed = 2 if measure is Measure.count else 3
        arguments = self.arguments(node, fixed, fixed + 1)
        type_ = self.name(checks.event_type, arguments[0])
        field = None
        if measure is not Measure.count:
            named = self.column(arguments[1])
            field = self.checked(lambda: checks.measured_field(measure, named, self.pointer), arguments[1])
        where = tuple(self._filter(part) for given in arguments[fixed:] for part in chain(given, exp.And))
        return EventValue(measure, type_, field, self.days(arguments[fixed - 1]), where)

    def _filter(self, node: exp.Expr) -> FieldTest:
        """One comparison of an event filter; comparisons are joined by `and` only."""
        while isinstance(node, exp.Paren):
            node = node.this
        negated = isinstance(node, exp.Not)
        left, op, raw = self._filter_parts(node.this if negated else node)
        if negated and op is not Op.is_null:
            raise self.wrong("an event filter is made of comparisons joined by 'and'", node)
        op = Op.is_not_null if negated else op
        named = self.column(left)
        field = self.checked(lambda: checks.event_field(named, self.pointer), left)
        kind = checks.field_type(field, op, raw)
        values = self.checked(lambda: checks.compared(op, raw, kind, self.pointer), node)
        return FieldTest(field, op, values)

    def _filter_parts(self, node: exp.Expr) -> tuple[exp.Expr, Op, list[object]]:
        if isinstance(node, exp.Between | exp.In | exp.Is):
            return self.set_test(node)
        op = OPS.get(type(node))
        if op is None:
            raise self.wrong("an event filter is made of comparisons joined by 'and'", node)
        if is_constant(node.this):
            return node.expression, FLIPPED.get(op, op), [self.constant(node.this)]
        return node.this, op, [self.constant(node.expression)]

    def set_test(self, node: exp.Between | exp.In | exp.Is) -> tuple[exp.Expr, Op, list[object]]:
        """The parts of `between`, `in` and `is null`."""
        if {name for name, value in node.args.items() if value} - _SET_PARTS:
            raise self.wrong(f"'{shown(node)}' is not a condition of the rule language", node)
        if isinstance(node, exp.Between):
            bounds: list[object] = [self.constant(node.args["low"]), self.constant(node.args["high"])]
            return node.this, Op.between, bounds
        if isinstance(node, exp.In):
            return node.this, Op.in_, [self.constant(item) for item in node.expressions]
        if isinstance(node.expression, exp.Null):
            return node.this, Op.is_null, []
        raise self.wrong("only 'is null', 'is unknown' and their 'not' are possible; write '= true'", node)


def called(node: exp.Expr) -> str:
    """The name of a function call; of what is none, nothing."""
    if isinstance(node, exp.Anonymous):
        return str(node.this)
    return "rank" if type(node) is exp.Rank else ""


def chain(node: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """The operands of `a and b and c`, which is parsed as a left-deep tree, without recursion."""
    parts: list[exp.Expr] = []
    while isinstance(node, kind):
        parts.append(node.args["expression"])
        node = node.this
    return [node, *reversed(parts)]


def is_constant(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal | exp.Boolean | exp.Neg | exp.Cast | exp.Null)


def shown(node: exp.Expr) -> str:
    try:
        text = node.sql(dialect="duckdb", comments=False)
    except (RecursionError, ValueError):
        return "…"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}…"


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _SHOWN
