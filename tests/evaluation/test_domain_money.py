"""What a unit contributes, and what a campaign comes to: figures worked out by hand."""

from decimal import Decimal

import pytest

from services.evaluation.domain.effect import Effect
from services.evaluation.domain.money import Valued, total
from services.evaluation.domain.worth import UnitValue, unit_value, victim_error, worth, worth_errors
from shared.contracts.economics import Economics
from shared.contracts.metrics import MetricCreate

LOAN = Economics(
    margin=Decimal("0.021"),
    days=365,
    fee=Decimal("0.002"),
    expected_loss=Decimal("0.006"),
    risk_weight=Decimal("0.75"),
    capital_ratio=Decimal("0.105"),
    hurdle=Decimal("0.12"),
    operating_cost=Decimal("0.001"),
)


def _effect(difference: float, half: float, n: int = 1000) -> Effect:
    ends = (difference - half, difference + half)
    return Effect(n, n, difference, 0.0, difference, half / 1.96, ends, 0.01, "welch")


def _metric(**changes: object) -> MetricCreate:
    body = {
        "key": "loans_30d",
        "name": {"zh": "贷款", "en": "Loans"},
        "kind": "sum",
        "window_days": 30,
        "source": {"events": [{"type": "loan.drawn"}]},
        "currency": "CNY",
    }
    return MetricCreate.model_validate(body | changes)


def test_a_loan_pays_for_its_losses_and_its_capital() -> None:
    """0.021 + 0.002 − 0.006 − 0.75 × 0.105 × 0.12 − 0.001 = 0.00655 per CNY lent for a year."""
    value = unit_value(LOAN)
    assert value.parts["capital"] == Decimal("-0.00945")
    assert value.total == Decimal("0.00655")
    assert value.days == 365


def test_half_a_life_earns_half_but_fees_come_once() -> None:
    value = unit_value(LOAN.model_copy(update={"days": 73}))
    assert value.parts == {
        "margin": Decimal("0.0042"),
        "fee": Decimal("0.002"),
        "expected_loss": Decimal("-0.0012"),
        "capital": Decimal("-0.00189"),
        "operating_cost": Decimal("-0.001"),
    }


def test_a_negative_spread_is_shown_and_not_clipped() -> None:
    deposit = Economics(margin=Decimal("-0.004"), days=365)
    assert unit_value(deposit).parts == {"margin": Decimal("-0.004")}


def test_an_account_is_worth_what_lies_on_it() -> None:
    account = Economics(margin=Decimal("0.01"), exposure=Decimal(50_000), days=365)
    assert unit_value(account).total == 500


def test_totals_add_up_from_their_parts() -> None:
    money = total(
        _effect(120.0, 40.0), [Valued("loans", _effect(120.0, 40.0), unit_value(LOAN))], Decimal(300)
    )
    assert money.contribution == Decimal("786.00")  # 120 CNY × 1,000 customers × 0.00655
    assert money.contribution_interval == (Decimal("524.00"), Decimal("1048.00"))
    assert sum(part.amount for part in money.parts) == money.contribution
    assert (money.net, money.net_interval) == (Decimal("486.00"), (Decimal("224.00"), Decimal("748.00")))
    assert money.roi == pytest.approx(1.62)
    assert money.payback_days == 140  # 300 / 786 of 365 days


def test_what_was_eaten_is_taken_off() -> None:
    """1,000 bought funds for 100 each and moved 60 of it out of deposits that contributed half as much."""
    bought, left = _effect(100.0, 10.0), _effect(-60.0, 8.0)
    valued = [
        Valued("funds", bought, UnitValue({"contribution": Decimal("0.02")}, 365)),
        Valued("deposits", left, UnitValue({"contribution": Decimal("0.01")}, 365)),
    ]
    money = total(bought, valued, None)
    assert money.contribution == Decimal("1400.00")
    assert [part.amount for part in money.parts] == [Decimal("2000.00"), Decimal("-600.00")]
    assert money.contribution_interval == (Decimal("1120.00"), Decimal("1680.00"))  # ± 200 and ± 80


def test_what_never_pays_back_has_no_day() -> None:
    valued = [Valued("loans", _effect(10.0, 4.0), unit_value(LOAN))]
    assert total(_effect(10.0, 4.0), valued, Decimal(1000)).payback_days is None
    losing = total(_effect(-10.0, 4.0), [Valued("loans", _effect(-10.0, 4.0), unit_value(LOAN))], Decimal(1))
    assert losing.payback_days is None
    assert losing.contribution_interval == (Decimal("-91.70"), Decimal("-39.30"))


def test_no_value_no_money() -> None:
    money = total(_effect(10.0, 4.0), [], Decimal(5))
    assert (money.contribution, money.net, money.roi, money.parts) == (None, None, None, ())
    assert money.incremental == 10_000


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"economics": LOAN, "unit_contribution": "0.1"}, "/unit_contribution"),
        ({"cannibalises": ["deposits"]}, "/cannibalises"),
        ({"economics": LOAN, "cannibalises": ["loans_30d"]}, "/cannibalises/0"),
        ({"economics": LOAN, "cannibalises": ["a", "a"]}, "/cannibalises/1"),
        ({"economics": LOAN, "kind": "ratio", "currency": None}, "/economics"),
    ],
)
def test_what_cannot_be_valued_is_named(changes: dict[str, object], place: str) -> None:
    assert [where for where, _ in worth_errors(_metric(**changes))] == [place]


def test_only_what_has_a_worth_can_be_eaten() -> None:
    assert victim_error(None) == "there is no metric of this key"
    assert victim_error(_metric()) == "nobody has said what a unit of it contributes"
    assert victim_error(_metric(unit_contribution="0.01")) is None
    assert worth(_metric(unit_contribution="0.01")) == UnitValue({"contribution": Decimal("0.01")})
