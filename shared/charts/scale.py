"""From numbers to places: linear scales, round ticks, and how much room a text takes."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """Maps `low`..`high` linearly onto `start`..`end`; `end` may be the smaller one (heights)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return round(self.start + share * (self.end - self.start), 2)

    def within(self, value: float) -> float:
        """As the call, held inside the scale."""
        return self(min(max(value, self.low), self.high))


def step_of(span: float, count: int) -> float:
    """The smallest of 1, 2, 2.5, 5 × 10^k that divides `span` into at most `count` parts."""
    if span <= 0 or count < 1:
        return 1.0
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    # A step that is short by a rounding error only is long enough.
    return next(power * step for step in _STEPS if power * step >= rough * (1 - 1e-9))


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers inside `low`..`high`, at most `count` + 1 of them."""
    step = step_of(high - low, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def room(values: Iterable[float], *, margin: float = 0.06, zero: bool = True) -> tuple[float, float]:
    """Ends of an axis that holds all `values` (and zero) with some air at both ends; never empty."""
    every = [*values, *([0.0] if zero else [])]
    low, high = min(every, default=0.0), max(every, default=0.0)
    span = high - low or abs(high) or 1.0
    return low - margin * span, high + margin * span


def text_width(text: str, size: float = 12.0) -> float:
    """About how wide `text` is drawn: a Chinese character takes a square, others a good half."""
    return sum(size if ord(letter) > 0x2E7F else size * 0.56 for letter in text)


def shortened(text: str, width: float, size: float = 12.0) -> str:
    """As much of `text` as `width` holds, with an ellipsis where something is left out."""
    if text_width(text, size) <= width:
        return text
    kept = text
    while kept and text_width(kept, size) + size > width:
        kept = kept[:-1]
    return f"{kept}…"
