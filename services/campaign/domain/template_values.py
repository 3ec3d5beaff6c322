"""The values a text may name, their kinds, and how they are written in each language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Language = Literal["zh", "en"]
Kind = Literal["text", "amount", "rate", "date", "count"]
Value = str | int | Decimal | date
LANGUAGES: tuple[Language, ...] = ("zh", "en")
FILTER_OF: Mapping[Kind, str] = {"amount": "money", "rate": "percent", "date": "date"}
"""Values of these kinds are written with their filter; as they stand nobody would read them out."""


@dataclass(frozen=True)
class Variable:
    kind: Kind
    zh: Value
    en: Value
    """Samples, for previews."""


VARIABLES: Mapping[str, Variable] = {
    "customer.salutation": Variable("text", "王女士", "Ms Wang"),
    "customer.kind": Variable("text", "person", "person"),
    "manager.name": Variable("text", "李明", "Li Ming"),
    "manager.code": Variable("text", "S0101", "S0101"),
    "campaign.name": Variable("text", "四季度财富客户", "Wealth clients, fourth quarter"),
    "campaign.ends_on": Variable("date", date(2026, 12, 31), date(2026, 12, 31)),
    "offer.name": Variable("text", "稳健理财", "Steady plan"),
    "offer.product": Variable("text", "W-01", "W-01"),
    "offer.risk": Variable("text", "R2", "R2"),
    "offer.terms": Variable("text", "年化 2.85%", "2.85 % a year"),
    "offer.rate": Variable("rate", Decimal("0.0285"), Decimal("0.0285")),
    "offer.minimum": Variable("amount", Decimal(50000), Decimal(50000)),
    "offer.currency": Variable("text", "CNY", "CNY"),
    "offer.tenor_days": Variable("count", 180, 180),
    "offer.valid_until": Variable("date", date(2026, 12, 31), date(2026, 12, 31)),
    "today": Variable("date", date(2026, 12, 1), date(2026, 12, 1)),
}

_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


def samples(language: Language) -> dict[str, Value]:
    return {name: getattr(variable, language) for name, variable in VARIABLES.items()}


def written(kind: Kind, value: Value, language: Language) -> str:
    """As a text says it, with the filter of its kind."""
    if kind == "date" and isinstance(value, date):
        return day(value, language)
    if isinstance(value, Decimal):
        return percent(value, language) if kind == "rate" else money(value, language)
    return str(value)


def money(value: Decimal, language: Language) -> str:
    """`50000` → `5万元`, `50,000`: Chinese counts in tens of thousands where nothing is lost by it."""
    if language == "en":
        return f"{value:,.2f}".removesuffix(".00")
    if value >= 10_000 and value % 100 == 0:
        return f"{_plain(value / 10_000)}万元"
    return f"{_plain(value)}元"


def percent(value: Decimal, language: Language) -> str:
    return f"{_plain(value * 100)}{'%' if language == 'zh' else ' %'}"


def day(value: date, language: Language) -> str:
    if language == "zh":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def salutation(name: str, kind: str, gender: str | None) -> dict[Language, str]:
    """How a customer is addressed. A name alone where the file does not say more."""
    if kind != "person" or gender not in {"M", "F"}:
        return {"zh": name, "en": name}
    man = gender == "M"
    return {"zh": f"{name}{'先生' if man else '女士'}", "en": f"{'Mr' if man else 'Ms'} {name}"}
