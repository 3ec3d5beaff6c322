"""The formulas of value, with numbers worked out by hand."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customer.domain import value
from services.customer.domain.value import Period, row_of, split, terms_of, transfer_rate, weighted_balance
from shared.contracts.customer.value import ValueModelWrite

D = Decimal
OCTOBER = Period(date(2026, 10, 1), date(2026, 11, 1))


def model(**changes: Any) -> ValueModelWrite:
    return ValueModelWrite.model_validate(
        {
            "name": {"zh": "甲", "en": "A"},
            "curve": [
                {"days": 30, "rate": "0.0150"},
                {"days": 365, "rate": "0.0250"},
                {"days": 1825, "rate": "0.0350"},
            ],
            "funding": [
                {"category": "demand", "side": "liability", "customer_rate": "0.0025", "tenor_days": 30},
                {
                    "product": "home-loan",
                    "side": "asset",
                    "customer_rate": "0.0410",
                    "tenor_days": 1825,
                    "day_count": 360,
                },
                {"category": "wealth", "side": "service", "margin": "0.0060"},
            ],
            "losses": [
                {"category": "loan", "pd": "0.0200", "lgd": "0.4500"},
                {"category": "loan", "band": "C1", "pd": "0.0050", "lgd": "0.4500"},
            ],
            "account_costs": [{"monthly": "2.50"}, {"product": "home-loan", "monthly": "12.00"}],
            "capital": [{"category": "loan", "risk_weight": "0.5"}],
            "capital_ratio": "0.115",
            "hurdle": "0.12",
            **changes,
        }
    )


def test_the_curve_is_linear_between_its_points_and_flat_beyond() -> None:
    curve = model().curve
    assert transfer_rate(curve, 1) == D("0.0150")
    assert transfer_rate(curve, 365) == D("0.0250")
    # 60 days: 0.0150 + 0.0100 × 30/335 = 0.01589552
    assert transfer_rate(curve, 60) == D("0.01589552")
    assert transfer_rate(curve, 9999) == D("0.0350")


def test_balances_count_by_the_days_they_lasted() -> None:
    days = [
        (date(2026, 9, 10), D(1000)),
        (date(2026, 10, 6), D(4000)),
        (date(2026, 10, 21), D(-100)),
        (date(2026, 11, 1), D(9)),
    ]
    # 5 days at 1000 (1st to 5th), 15 at 4000 (6th to 20th), 11 at −100 (21st to 31st)
    assert weighted_balance(days, OCTOBER) == 5 * 1000 + 15 * 4000 - 11 * 100
    assert weighted_balance([(date(2026, 10, 31), D(31))], OCTOBER) == 31
    assert weighted_balance([(date(2026, 10, 1), D(2))], OCTOBER) == 62
    assert weighted_balance([(date(2026, 11, 1), D(2))], OCTOBER) == 0
    assert weighted_balance([], OCTOBER) == 0


@given(
    st.dictionaries(
        st.dates(date(2026, 9, 1), date(2026, 11, 10)), st.integers(-1000, 1000).map(Decimal), max_size=12
    )
)
def test_balances_by_stretch_are_balances_by_day(told: dict[date, Decimal]) -> None:
    expected = D(0)
    for number in range(OCTOBER.start.toordinal(), OCTOBER.end.toordinal()):
        known = [day for day in told if day.toordinal() <= number]
        expected += told[max(known)] if known else 0
    assert weighted_balance(told.items(), OCTOBER) == expected


def test_a_deposit_by_hand() -> None:
    """Average 12,345.67; margin 1.50 % − 0.25 % = 1.25 %; a year has 365 days."""
    row = row_of(
        model(),
        terms_of(model(), "demand-deposit", "demand", D("0.0185")),
        OCTOBER,
        weighted=D("12345.67") * 31,
        accounts=2,
        fees=D("3.456"),
        event_costs=D("0.125"),
        band=None,
    )
    assert row.average_balance == D("12345.67")
    assert row.ftp_margin == D("13.11")  # 12345.67 × 0.0125 × 31 / 365 = 13.10672…
    assert row.fees == D("3.46")
    assert (row.expected_loss, row.capital, row.capital_charge) == (0, 0, 0)
    assert row.operating_cost == D("5.13")  # 2 × 2.50 + 0.125, half away from zero
    assert row.contribution == D("11.44")


def test_a_loan_by_hand_and_its_negative_contribution_stays() -> None:
    """Margin 4.10 % − 3.50 % = 0.60 % on 360 days; loss 2 % × 45 %; weight 50 %."""
    terms = terms_of(model(), "home-loan", "loan", D(0))
    found = [
        row_of(
            model(),
            terms,
            OCTOBER,
            weighted=D(1_000_000) * 31,
            accounts=1,
            fees=D(0),
            event_costs=D(0),
            band=band,
        )
        for band in (None, "C1")
    ]
    assert found[0].ftp_margin == D("516.67")  # 1,000,000 × 0.006 × 31 / 360 = 516.666…
    assert found[0].expected_loss == D("764.38")  # × 0.009 × 31 / 365 = 764.3835…
    assert found[0].capital == D("57500.00")  # × 0.5 × 0.115
    assert found[0].capital_charge == D("586.03")  # 57,500 × 0.12 × 31 / 365 = 586.0273…
    assert found[0].contribution == D("-845.74")  # 516.67 − 764.38 − 12.00 − 586.03
    assert found[1].expected_loss == D("191.10")  # × 0.00225 × 31 / 365 = 191.0958…


def test_an_overdrawn_deposit_is_exposed_and_its_margin_negative() -> None:
    spec = model(losses=[{"pd": "0.10", "lgd": "1"}], capital=[{"risk_weight": "1"}])
    row = row_of(
        spec,
        terms_of(spec, "demand-deposit", "demand", D(0)),
        OCTOBER,
        weighted=D(-3650) * 31,
        accounts=0,
        fees=D(0),
        event_costs=D(0),
        band="C3",
    )
    assert row.average_balance == D(-3650)
    assert row.ftp_margin == D("-3.88")  # −3650 × 0.0125 × 31 / 365 = −3.875, half away from zero
    assert row.expected_loss == D("31.00")
    assert row.capital == D("419.75")


def test_the_most_specific_term_counts() -> None:
    spec = model(
        funding=[
            {"side": "service", "margin": "0.01"},
            {"category": "fund", "side": "service", "margin": "0.02"},
            {"product": "fund-x", "side": "service", "margin": "-0.03"},
        ]
    )
    margins = [
        terms_of(spec, product, category, D(9)).margin
        for product, category in [("fund-x", "fund"), ("fund-y", "fund"), ("z", "loan")]
    ]
    assert margins == [D("-0.03"), D("0.02"), D("0.01")]
    assert terms_of(model(), "x", "insurance", D("0.015")).margin == D("0.015")


@pytest.mark.parametrize(
    ("today", "due"),
    [
        (date(2026, 11, 1), None),  # a Sunday
        (date(2026, 11, 2), date(2026, 10, 1)),
        (date(2026, 11, 30), date(2026, 10, 1)),
        (date(2026, 8, 2), None),  # Saturday the 1st, Sunday the 2nd
        (date(2026, 8, 3), date(2026, 7, 1)),
        (date(2026, 1, 1), date(2025, 12, 1)),
    ],
)
def test_months_fall_due_on_the_first_working_day(today: date, due: date | None) -> None:
    assert value.due_month(today) == due


def test_a_month_under_way_counts_to_date() -> None:
    assert value.period_of(date(2026, 11, 1), date(2026, 11, 12)).days == 12
    assert value.period_of(date(2026, 10, 1), date(2026, 11, 12)).days == 31


@given(
    st.integers(-(10**9), 10**9).map(lambda n: Decimal(n).scaleb(-2)),
    st.lists(st.integers(1, 1000), min_size=1, max_size=6),
)
def test_shares_add_up_to_the_cent(amount: Decimal, weights: list[int]) -> None:
    shares = [(D(w) / sum(weights)).quantize(D("0.000001")) for w in weights]
    shares[0] += 1 - sum(shares)
    parts = split(amount, shares)
    assert sum(parts) == amount
    for part, share in zip(parts, shares, strict=True):
        assert abs(part - amount * share) < D("0.01")


def test_a_share_by_hand() -> None:
    assert split(D("100.00"), [D("0.333334"), D("0.333333"), D("0.333333")]) == [
        D("33.34"),
        D("33.33"),
        D("33.33"),
    ]
    assert split(D("-0.01"), [D("0.5"), D("0.5")]) == [D("0.00"), D("-0.01")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"curve": [], "funding": [{"side": "asset", "customer_rate": "0.1", "tenor_days": 3}]},
        {"funding": [{"side": "asset"}]},
        {"funding": [{"side": "asset", "margin": "0.1", "tenor_days": 3}]},
        {"funding": [{"side": "service", "customer_rate": "0.1", "tenor_days": 3}]},
        {"funding": [{"side": "asset", "margin": "0.1", "product": "a", "category": "loan"}]},
        {"capital": [{"risk_weight": "1"}, {"risk_weight": "2"}]},
        {"curve": [{"days": 3, "rate": "0.1"}, {"days": 2, "rate": "0.1"}]},
        {"rates": [{"month": "2026-10", "currency": "USD", "rate": "7"}] * 2},
        {"rates": [{"month": "2026-13", "currency": "USD", "rate": "7"}]},
        {"peers": {"aum_bands": ["5", "5"]}},
        {"hurdle": "NaN"},
    ],
)
def test_models_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        model(**wrong)
