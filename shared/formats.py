"""Numbers, money and times as bank people read them, in either language."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from shared.clock import ZONE

Language = Literal["zh", "en"]
NOTHING = "–"
SHARES = frozenset({"proportion", "retention"})
"""Kinds of metrics whose values are shares."""
Numeric = Decimal | float | int

# From which size on a unit is used; thousands are read more easily in full.
_STEPS: dict[Language, tuple[tuple[float, str], ...]] = {
    "zh": ((1e8, " 亿"), (1e4, " 万")),
    "en": ((1e9, " bn"), (1e6, " m"), (1e4, " k")),
}
_SCALES = {" 亿": 1e8, " 万": 1e4, " bn": 1e9, " m": 1e6, " k": 1e3}
_SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "CZK": "Kč "}


def named(name: str, code: str, language: Language) -> str:
    """What it is called, and the code by which it is found."""
    return f"{name}（{code}）" if language == "zh" else f"{name} ({code})"


def listed(texts: Iterable[str], language: Language) -> str:
    return ("、" if language == "zh" else ", ").join(texts)


def whole(value: Numeric | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def percent(value: Numeric | None, digits: int = 1) -> str:
    return NOTHING if value is None else f"{float(value) * 100:.{digits}f}%"


def compact(value: Numeric | None, language: Language) -> str:
    """Three or four significant figures with the language's own steps: 1,234.5 万, 12.3 m."""
    if value is None:
        return NOTHING
    number = float(value)
    for start, unit in _STEPS[language]:
        if abs(number) >= start:
            return f"{_trimmed(number / _SCALES[unit])}{unit}"
    return _trimmed(number)


def figure(value: Numeric | None, language: Language) -> str:
    """A measure of any size: three significant figures, large ones with the language's steps."""
    if value is None:
        return NOTHING
    return compact(value, language) if abs(float(value)) >= 1000 else f"{float(value):.3g}"


def money(value: Numeric | None, currency: str | None, language: Language) -> str:
    if value is None:
        return NOTHING
    sign = _SIGNS.get(currency or "", f"{currency} " if currency else "")
    minus = "−" if float(value) < 0 else ""
    return f"{minus}{sign}{compact(abs(float(value)), language)}"


def exact_money(value: Numeric | None, currency: str | None) -> str:
    if value is None:
        return NOTHING
    sign = _SIGNS.get(currency or "", f"{currency} " if currency else "")
    return f"{'−' if value < 0 else ''}{sign}{abs(value):,.2f}"


def day(value: date | datetime | None) -> str:
    if value is None:
        return NOTHING
    return (value.astimezone(ZONE) if isinstance(value, datetime) else value).strftime("%Y-%m-%d")


def moment(value: datetime | None) -> str:
    return NOTHING if value is None else value.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")


def p_value(value: float | None) -> str:
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


@dataclass(frozen=True)
class Quantity:
    """How the values of one metric are written: money, a share of customers, or a count."""

    language: Language
    kind: str = "sum"
    currency: str | None = None

    def value(self, number: Numeric | None) -> str:
        if self.kind in SHARES:
            return percent(number, 2)
        if self.currency:
            return money(number, self.currency, self.language)
        return compact(number, self.language)

    def signed(self, number: Numeric | None) -> str:
        text = self.value(number)
        return f"+{text}" if number is not None and number > 0 else text.replace("-", "−")

    def interval(self, ends: tuple[Numeric, Numeric] | None) -> str:
        return NOTHING if ends is None else f"{self.signed(ends[0])} ~ {self.signed(ends[1])}"

    def total(self, number: Numeric | None) -> str:
        """A sum over customers; of a share it is a number of customers."""
        if self.currency:
            return money(number, self.currency, self.language)
        return compact(number, self.language)

    def signed_total(self, number: Numeric | None) -> str:
        text = self.total(number)
        return f"+{text}" if number is not None and number > 0 else text.replace("-", "−")


def _trimmed(number: float) -> str:
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    text = f"{number:.2f}" if abs(number) < 100 else f"{number:.1f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
