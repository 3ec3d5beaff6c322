"""An expression written back as its one text."""

from services.segmentation.domain.expressions.tree import (
    Arithmetic,
    Call,
    Constant,
    Expression,
    Measured,
    Negative,
    Sign,
)
from services.segmentation.domain.rules.text import operand_sql

_BINDS = {Sign.plus: 1, Sign.minus: 1, Sign.times: 2, Sign.over: 2}


def expression_sql(expression: Expression) -> str:
    """`parse_expression(expression_sql(tree)) == tree`."""
    match expression:
        case Constant(value):
            return str(value) if isinstance(value, int) else format(value, "f")
        case Measured(operand):
            return operand_sql(operand)
        case Arithmetic(sign, left, right):
            return f"{_side(left, _BINDS[sign])} {sign} {_side(right, _BINDS[sign] + 1)}"
        case Negative(item):
            return f"-({expression_sql(item)})"
        case Call(function, items):
            return f"{function}({', '.join(expression_sql(item) for item in items)})"


def _side(expression: Expression, least: int) -> str:
    """In parentheses where it binds less than its neighbour."""
    text = expression_sql(expression)
    weak = isinstance(expression, Arithmetic) and _BINDS[expression.sign] < least
    return f"({text})" if weak or isinstance(expression, Negative) else text
