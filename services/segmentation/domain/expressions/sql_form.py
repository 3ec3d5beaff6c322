"""The text of an expression read into the checked tree."""

from sqlglot import exp

from services.segmentation.domain.expressions.tree import (
    Arithmetic,
    Call,
    Constant,
    Expression,
    Function,
    Measured,
    Negative,
    Sign,
    operands,
)
from services.segmentation.domain.features import Catalogue, FeatureType
from services.segmentation.domain.rules import checks
from services.segmentation.domain.rules.problems import RuleError
from services.segmentation.domain.rules.sql_reader import MEASURES, SqlReader, called, shown
from services.segmentation.domain.rules.tree import FeatureValue

MAX_TEXT = 2_000
MAX_DEPTH = 100
MAX_PLACES = 6
_SIGNS: dict[type[exp.Expr], Sign] = {
    exp.Add: Sign.plus,
    exp.Sub: Sign.minus,
    exp.Mul: Sign.times,
    exp.Div: Sign.over,
}
_CALLS: dict[type[exp.Expr], Function] = {
    exp.Coalesce: Function.coalesce,
    exp.Nullif: Function.nullif,
    exp.Greatest: Function.greatest,
    exp.Least: Function.least,
    exp.Abs: Function.abs,
}
_OPERAND_TYPES = checks.NUMERIC | {FeatureType.boolean}


def parse_expression(text: str, catalogue: Catalogue, pointer: str = "/expression") -> Expression:
    """The checked tree of an expression; `RuleError` says what is wrong at which line and column."""
    reader = _Reader(text, catalogue, pointer, "an expression")
    if len(text) > MAX_TEXT:
        raise reader.at(f"an expression has at most {MAX_TEXT} characters", MAX_TEXT)
    found = reader.expression(reader.parsed(), 0)
    if next(operands(found), None) is None:
        raise RuleError("an expression names at least one feature or measure", pointer)
    return found


class _Reader(SqlReader):
    def expression(self, node: exp.Expr, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise self.wrong(f"an expression nests at most {MAX_DEPTH} deep", node)
        while isinstance(node, exp.Paren):
            node = node.this
        if type(node) in _SIGNS:
            return self._arithmetic(node, depth)
        if type(node) in _CALLS:
            parts = [node.this, *([node.expression] if isinstance(node, exp.Nullif) else node.expressions)]
            if None in parts:
                raise self.wrong(f"'{_CALLS[type(node)]}' needs something to work on", node)
            items = tuple(self.expression(part, depth + 1) for part in parts)
            return Call(_CALLS[type(node)], items)
        if type(node) is exp.Round:
            return self._rounded(node, depth)
        return self._operand(node, depth)

    def _operand(self, node: exp.Expr, depth: int) -> Expression:
        match node:
            case exp.Column():
                return Measured(FeatureValue(self._feature(node)))
            case exp.Literal(is_string=False) | exp.Neg(this=exp.Literal(is_string=False)):
                raw = self.constant(node)
                return Constant(self.checked(lambda: checks.number(raw, self.pointer), node))
            case exp.Neg():
                return Negative(self.expression(node.this, depth + 1))
            case exp.Anonymous() if called(node) in MEASURES:
                return Measured(self.measure(node))
        allowed = ", ".join([*Function, *MEASURES])
        raise self.wrong(
            f"'{shown(node)}' is not arithmetic: there are + - * /, numbers, features and {allowed}", node
        )

    def _feature(self, node: exp.Expr) -> str:
        name = self.column(node)
        key = self.checked(lambda: checks.feature_key(name, self.catalogue, self.pointer), node)
        if self.catalogue[key].type not in _OPERAND_TYPES:
            raise self.wrong(f"'{key}' is a {self.catalogue[key].type}, not a number", node)
        return key

    def _arithmetic(self, node: exp.Expr, depth: int) -> Arithmetic:
        sign = _SIGNS[type(node)]
        left = self.expression(node.this, depth + 1)
        right = self.expression(node.expression, depth + 1)
        if sign is Sign.over and _is_zero(right):
            raise self.wrong("a division by zero", node.expression)
        return Arithmetic(sign, left, right)

    def _rounded(self, node: exp.Expr, depth: int) -> Call:
        given = node.args.get("decimals")
        places = 0 if given is None else self.whole(given)
        if places is None or places > MAX_PLACES or node.args.get("truncate"):
            raise self.wrong(f"'round' takes a value and 0 to {MAX_PLACES} decimals", node)
        return Call(Function.round, (self.expression(node.this, depth + 1), Constant(places)))


def _is_zero(expression: Expression) -> bool:
    while isinstance(expression, Negative):
        expression = expression.item
    return isinstance(expression, Constant) and expression.value == 0
