"""What the values of one column of a file are, and how they may be shown without showing them."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import orjson

Type = Literal["text", "integer", "decimal", "boolean", "date", "instant", "json", "empty"]

_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%y%m%d", "%Y年%m月%d日")
_DIGITS = {"%Y%m%d": 8, "%y%m%d": 6}
_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
_INTEGER = re.compile(r"-?\d{1,18}")
_DECIMAL = re.compile(r"-?\d{1,18}\.\d{1,12}|-?\d{1,18}")
_COMMA = re.compile(r"-?\d{1,3}(\.\d{3})*,\d{1,4}|-?\d{1,18},\d{1,4}|-?\d{1,18}")
_TRUTH = frozenset({"true", "false", "yes", "no", "y", "n", "是", "否"})
_SAMPLES = 3
_SHOWN = 40
_FEW = 20
_OFTEN = 10
"""A value is a category when a column of few values repeats it so often that it names nobody."""


@dataclass(slots=True)
class Inferred:
    """One column as its first rows show it; `different` holds its values themselves and stays here."""

    name: str
    type: Type
    date_format: str | None
    decimal_comma: bool
    null_share: float
    present: int
    distinct: int
    padded: bool
    different: Sequence[str]
    samples: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)


def infer(name: str, values: Sequence[str | None]) -> Inferred:
    present = [value for value in values if value]
    trimmed = [value.strip() for value in present]
    seen = Counter(trimmed)
    kind, date_format, comma = _kind(list(seen))
    different = [value for value, _times in seen.most_common()]
    return Inferred(
        name=name,
        type=kind,
        date_format=date_format,
        decimal_comma=comma,
        null_share=1 - len(present) / len(values) if values else 0.0,
        present=len(present),
        distinct=len(seen),
        padded=trimmed != present,
        different=different,
        samples=list(dict.fromkeys(shape(value) for value in different))[:_SAMPLES],
        categories=_categories(seen),
    )


def shape(value: str) -> str:
    """The form of a value without the value: digits as 9, letters as x, other scripts as 字."""
    return "".join(_shape(char) for char in value[:_SHOWN])


def _shape(char: str) -> str:
    if char.isdecimal():
        return "9"
    if char.isalpha():
        return "x" if char.isascii() else "字"
    return char


def _categories(seen: Counter[str]) -> list[str]:
    if not seen or len(seen) > _FEW or min(seen.values()) < _OFTEN:
        return []
    return sorted(value[:_SHOWN] for value in seen)


def _kind(values: list[str]) -> tuple[Type, str | None, bool]:
    """Type, format of dates, and whether amounts have commas."""
    if not values:
        return "empty", None, False
    if all(_INSTANT.fullmatch(value) for value in values):
        return "instant", None, False
    for kind, forms in _DATED:
        for form in forms:
            if _all_dates(values, form):
                return kind, form, False
    for kind, fits in _SIMPLE:
        if all(fits(value) for value in values):
            return kind, None, False
    comma = all(_COMMA.fullmatch(value) for value in values)
    return "decimal" if comma else "text", None, comma


def _all_dates(values: list[str], form: str) -> bool:
    """Digits alone are a date only where every value has six or eight of them and is a real day."""
    digits = _DIGITS.get(form)
    if digits is not None and not all(value.isdecimal() and len(value) == digits for value in values):
        return False
    for value in values:
        try:
            datetime.strptime(value, form)  # noqa: DTZ007 - only its form matters
        except ValueError:
            return False
    return True


def _is_json(value: str) -> bool:
    if not value.startswith(("{", "[")):
        return False
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


_DATED: tuple[tuple[Type, tuple[str, ...]], ...] = (("instant", _TIMES), ("date", _DATES))
_SIMPLE: tuple[tuple[Type, Callable[[str], object]], ...] = (
    ("boolean", lambda value: value.lower() in _TRUTH),
    ("integer", _INTEGER.fullmatch),
    ("decimal", _DECIMAL.fullmatch),
    ("json", _is_json),
)
