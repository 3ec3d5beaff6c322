"""The checked tree of an expression. All arithmetic is in double precision; null in, null out."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from services.segmentation.domain.rules.tree import EventValue, FeatureValue, ProductBalance


class Sign(StrEnum):
    plus = "+"
    minus = "-"
    times = "*"
    over = "/"


class Function(StrEnum):
    """`coalesce`, `greatest` and `least` ignore unknown values; `nullif(a, b)` is unknown where a = b."""

    coalesce = "coalesce"
    nullif = "nullif"
    greatest = "greatest"
    least = "least"
    abs = "abs"
    round = "round"


@dataclass(frozen=True)
class Constant:
    value: int | Decimal


@dataclass(frozen=True)
class Measured:
    operand: FeatureValue | EventValue | ProductBalance


@dataclass(frozen=True)
class Arithmetic:
    """A division by zero is unknown."""

    sign: Sign
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True)
class Negative:
    item: "Expression"


@dataclass(frozen=True)
class Call:
    """`round` has the number of decimals, 0 to 6, as its second item."""

    function: Function
    items: tuple["Expression", ...]


Expression = Constant | Measured | Arithmetic | Negative | Call


def operands(expression: Expression) -> Iterator[FeatureValue | EventValue | ProductBalance]:
    """Every distinct feature and measure, in reading order."""
    seen = set()
    stack: list[Expression] = [expression]
    while stack:
        match stack.pop():
            case Measured(operand) if operand not in seen:
                seen.add(operand)
                yield operand
            case Arithmetic(_, left, right):
                stack += [right, left]
            case Negative(item):
                stack.append(item)
            case Call(_, items):
                stack += reversed(items)


def uses(expression: Expression) -> tuple[str, ...]:
    """The keys of the features it is made of."""
    return tuple(operand.key for operand in operands(expression) if isinstance(operand, FeatureValue))
