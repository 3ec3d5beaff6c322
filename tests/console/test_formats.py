from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from services.console import formats
from services.console.formats import Quantity


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (0, "0", "0"),
        (999, "999", "999"),
        (2312.4, "2,312", "2,312"),
        (Decimal(12_345), "1.23 万", "12.35 k"),
        (5_816_234, "581.6 万", "5.82 m"),
        (-310_500_000, "-3.1 亿", "-310.5 m"),
        (2_400_000_000, "24 亿", "2.4 bn"),
        (None, "–", "–"),
    ],
)
def test_numbers_step_as_the_language_does(value: Decimal | float | None, zh: str, en: str) -> None:
    assert formats.compact(value, "zh") == zh
    assert formats.compact(value, "en") == en


def test_money_carries_sign_and_currency() -> None:
    assert formats.money(Decimal("-1250.20"), "CNY", "en") == "−¥1,250"
    assert formats.money(Decimal(9), "SEK", "en") == "SEK 9"
    assert formats.exact_money(Decimal("1234.5"), "CNY") == "¥1,234.50"


def test_effects_carry_their_sign_and_both_ends() -> None:
    unit = Quantity("zh", "sum", "CNY")
    assert unit.signed(Decimal("2312.40")) == "+¥2,312"
    assert unit.interval((Decimal(-10), Decimal(20))) == "−¥10 ~ +¥20"


def test_shares_are_percentages_but_their_totals_are_customers() -> None:
    unit = Quantity("en", "proportion")
    assert unit.signed(0.0123) == "+1.23%"
    assert unit.signed_total(148.2) == "+148.2"


def test_small_p_values_are_bounded_not_rounded_to_zero() -> None:
    assert formats.p_value(0.00001) == "< 0.001"
    assert formats.p_value(0.0421) == "0.042"


def test_times_are_shown_in_the_banks_zone() -> None:
    assert formats.moment(datetime(2026, 11, 20, 17, 5, tzinfo=UTC)) == "2026-11-21 01:05"
    assert formats.day(date(2026, 1, 2)) == "2026-01-02"
