"""Prices by hand-computed numbers, and what holds for every quote."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.campaign.domain.price_authority import decide, largest_discount, require_checker
from services.campaign.domain.pricing import Priced, allowed_subsidy, alternatives, given_away, price_quote
from shared.contracts.campaign.price_lists import PriceListWrite
from shared.contracts.campaign.quotes import QuoteDecision, QuoteLineWrite
from shared.errors import Forbidden, Unprocessable
from tests.campaign.prices import PRICES, a_line

LIST = PriceListWrite.model_validate(PRICES)
LOAN = a_line("LOAN-WC", "1000000.00", "0.0415")
TRANSFER = a_line("TRANSFER", "120.00")
DEPOSIT = a_line("TD-1Y", "500000.00", "0.018")


def priced(*lines: dict[str, Any], bundle: str | None = None, months: int = 12, subsidy: str = "0") -> Priced:
    return price_quote(LIST, written(*lines), bundle, months, Decimal(subsidy))


def written(*lines: dict[str, Any]) -> list[QuoteLineWrite]:
    return [QuoteLineWrite.model_validate(line) for line in lines]


def shown(model: Any, *names: str) -> list[str | None]:
    """As the API writes them: cents and all."""
    return [model.model_dump(mode="json")[name] for name in names]


def test_a_loan_by_hand() -> None:
    """A million for a year at 4.15 %: 2.1 % funds, 1.2 % x 45 % lost, 7.875 % capital at 12 %, 150 a month."""
    [line] = priced(LOAN).lines
    amounts = ("revenue", "funding", "expected_loss", "operating_cost", "capital", "capital_charge")
    assert shown(line, *amounts) == ["41500.00", "21000.00", "5400.00", "1800.00", "78750.00", "9450.00"]
    assert shown(line, "cost", "contribution", "discount") == ["37650.00", "3850.00", "2000.00"]
    assert shown(line, "discount_share", "floor_price", "break_even_volume") == [
        "0.045977",
        "0.037650",
        "318584.08",
    ]


def test_a_deposit_earns_the_funding_it_brings() -> None:
    """Half a million for six months at 1.8 % where 1.5 % is the tariff and funds are worth 2.3 %."""
    [line] = priced(DEPOSIT, months=6).lines
    assert shown(line, "revenue", "funding", "operating_cost") == ["-4500.00", "-5750.00", "60.00"]
    assert shown(line, "cost", "contribution", "discount") == ["-5690.00", "1190.00", "750.00"]
    assert shown(line, "discount_share", "floor_price") == ["0.200000", "0.022760"]


def test_a_package_by_hand() -> None:
    """The loan with 120 transfers a month, at 2.50 for 200 a month instead of 5 each."""
    quote = priced(LOAN, TRANSFER, bundle="settlement", subsidy="1000.00")
    assert shown(quote.lines[1], "price", "revenue", "operating_cost") == ["2.5", "3600.00", "1728.00"]
    assert shown(quote.total, "bundle_fee", "revenue", "cost") == ["2400.00", "47500.00", "39378.00"]
    assert shown(quote.total, "contribution", "floor", "fixed") == ["8122.00", "38378.00", "600.00"]
    # (47,500 − 21,000 − 5,400 − 3,528) / 78,750
    assert shown(quote.total, "raroc", "break_even_share") == ["0.223137", "0"]


def test_one_by_one_against_the_package() -> None:
    single, bundle = alternatives(LIST, written(LOAN, TRANSFER), 12, Decimal(0))
    assert shown(single, "bundle", "revenue", "discount") == [None, "50700.00", "0.00"]
    assert shown(bundle, "bundle", "revenue", "discount") == ["settlement", "49500.00", "1200.00"]
    # 1,800 a year for the account against 7,650 of the loan and 5,472 of the transfers.
    assert shown(single, "fixed", "break_even_share") == ["-1800.00", "0.1372"]
    [alone] = alternatives(LIST, written(LOAN), 12, Decimal(0))
    assert alone.bundle is None


def test_break_even_is_out_of_reach_below_the_variable_cost() -> None:
    quote = priced(a_line("LOAN-WC", "1000000.00", "0.03"))
    assert quote.lines[0].break_even_volume is None
    assert quote.total.break_even_share is None
    assert quote.total.contribution < 0


@pytest.mark.parametrize(
    ("measured", "committed", "months", "allowed"),
    [
        ("24000.00", "1200.00", 6, "3000.00"),
        ("24000.00", "9000.00", 6, "0.00"),
        ("-5000.00", "0", 12, "0.00"),
        ("0.05", "0", 1, "0.00"),
    ],
)
def test_only_what_was_measured_and_not_yet_given_away_subsidises(
    measured: str, committed: str, months: int, allowed: str
) -> None:
    found = allowed_subsidy(Decimal("0.3"), Decimal(measured), Decimal(committed), months)
    assert format(found, "f") == allowed


def test_a_shortfall_is_counted_by_the_year() -> None:
    assert given_away(Decimal("900.00"), Decimal("1000.00"), 6) == Decimal("200.00")
    assert given_away(Decimal("1000.00"), Decimal("900.00"), 6) == 0


@pytest.mark.parametrize(
    ("lines", "bundle", "pointer"),
    [
        ([a_line("NOTHING", "1.00")], None, "/lines/0/product"),
        ([TRANSFER, TRANSFER], None, "/lines/1/product"),
        ([a_line("LOAN-WC", "1.00", "4.15")], None, "/lines/0/price"),
        ([LOAN], "settlement", "/bundle"),
        ([LOAN], "nothing", "/bundle"),
        ([a_line("TRANSFER", "1000000000000", "1000000")], None, "/lines"),
    ],
)
def test_what_cannot_be_priced_is_pointed_at(
    lines: list[dict[str, Any]], bundle: str | None, pointer: str
) -> None:
    with pytest.raises(Unprocessable) as refused:
        priced(*lines, bundle=bundle)
    assert refused.value.errors[0].pointer == pointer


@pytest.mark.parametrize(
    ("price", "subsidy", "concerns", "approvers"),
    [
        ("0.0435", "0", [], ["manager", "branch_head", "approver"]),
        ("0.0415", "0", [], ["manager", "branch_head", "approver"]),
        ("0.04", "0", ["discount"], ["branch_head", "approver"]),
        ("0.0372", "1000", ["discount", "below_cost"], ["branch_head", "approver"]),
        ("0.0372", "0", ["discount", "below_cost", "below_floor"], ["approver"]),
        ("0.02", "1000", ["discount", "below_cost", "below_floor"], ["approver"]),
    ],
)
def test_a_manager_grants_what_the_list_allows(
    price: str, subsidy: str, concerns: list[str], approvers: list[str]
) -> None:
    quote = priced(a_line("LOAN-WC", "1000000.00", price), subsidy=subsidy)
    found = decide(LIST.authority, ["manager"], quote)
    assert (found.concerns, found.approvers, found.needs_approval) == (concerns, approvers, bool(concerns))


def test_a_deposit_above_twice_its_tariff_has_somebody_to_approve_it() -> None:
    quote = priced(a_line("TD-1Y", "500000.00", "0.05"))
    assert largest_discount(quote) == 1
    assert decide(LIST.authority, ["manager"], quote).approvers == ["approver"]


def test_a_role_without_a_level_grants_no_discount() -> None:
    assert decide([], ["manager"], priced(TRANSFER)).needs_approval is False
    assert decide([], ["manager"], priced(a_line("TRANSFER", "1.00", "4.99"))).concerns == ["discount"]


def test_the_checker_is_somebody_else_with_the_authority() -> None:
    decision = QuoteDecision(needs_approval=True, concerns=["discount"], approvers=["approver"])
    require_checker("b", ["approver"], makers=["a", None], decision=decision)
    with pytest.raises(Forbidden, match="made or submitted"):
        require_checker("a", ["approver"], makers=["a", None], decision=decision)
    with pytest.raises(Forbidden, match="beyond your authority"):
        require_checker("b", ["branch_head"], makers=["a", None], decision=decision)


VOLUMES = st.decimals(1, 10**9, places=2)
RATES = st.decimals(0, 1, places=6)
MONTHS = st.integers(1, 360)
SUBSIDIES = st.decimals(0, 10**6, places=2)


@st.composite
def some_lines(draw: st.DrawFn) -> list[QuoteLineWrite]:
    products = draw(st.lists(st.sampled_from(["LOAN-WC", "TD-1Y", "TRANSFER"]), min_size=1, unique=True))
    return [
        QuoteLineWrite(product=product, volume=draw(VOLUMES), price=draw(st.none() | RATES))
        for product in products
    ]


@settings(max_examples=30, deadline=None)
@given(some_lines(), MONTHS, SUBSIDIES)
def test_lines_add_up_to_the_cent(lines: list[QuoteLineWrite], months: int, subsidy: Decimal) -> None:
    asked = {line.product for line in lines}
    bundle = "settlement" if asked >= {"LOAN-WC", "TRANSFER"} else None
    quote = price_quote(LIST, lines, bundle, months, subsidy)
    total = quote.total
    for name in (
        "funding",
        "expected_loss",
        "operating_cost",
        "capital",
        "capital_charge",
        "cost",
        "discount",
    ):
        assert getattr(total, name) == sum(Fraction(getattr(line, name)) for line in quote.lines)
    assert total.revenue == sum(Fraction(line.revenue) for line in quote.lines) + Fraction(total.bundle_fee)
    parts = (total.funding, total.expected_loss, total.operating_cost, total.capital_charge)
    assert total.cost == sum(map(Fraction, parts))
    assert total.contribution == Fraction(total.revenue) - Fraction(total.cost)
    assert total.floor == Fraction(total.cost) - Fraction(subsidy)
    for amount in (total.revenue, total.cost, total.floor, total.discount):
        assert amount == amount.quantize(Decimal("0.01"))


@settings(max_examples=30, deadline=None)
@given(VOLUMES, VOLUMES, MONTHS)
def test_a_bundle_is_its_lines_less_the_discount(loan: Decimal, transfers: Decimal, months: int) -> None:
    lines = [
        QuoteLineWrite(product="LOAN-WC", volume=loan),
        QuoteLineWrite(product="TRANSFER", volume=transfers),
    ]
    single, bundle = alternatives(LIST, lines, months, Decimal(0))
    assert bundle.revenue == Fraction(single.revenue) - Fraction(bundle.discount)
    assert bundle.cost == single.cost
    chosen = price_quote(LIST, lines, "settlement", months, Decimal(0)).total
    assert (chosen.revenue, chosen.contribution) == (bundle.revenue, bundle.contribution)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["LOAN-WC", "TD-1Y", "TRANSFER"]), VOLUMES, RATES, RATES, MONTHS)
def test_a_higher_price_never_brings_the_bank_less(
    product: str, volume: Decimal, one: Decimal, other: Decimal, months: int
) -> None:
    low, high = sorted((one, other))
    if product == "TD-1Y":
        low, high = high, low  # of a deposit the bank pays the price
    worse, better = (
        price_quote(
            LIST, [QuoteLineWrite(product=product, volume=volume, price=price)], None, months, Decimal(0)
        )
        for price in (low, high)
    )
    assert worse.total.revenue <= better.total.revenue
    assert worse.total.contribution <= better.total.contribution
    assert worse.total.cost == better.total.cost
    assert largest_discount(worse) >= largest_discount(better)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["LOAN-WC", "TD-1Y", "TRANSFER"]), VOLUMES, MONTHS)
def test_the_floor_price_covers_the_cost(product: str, volume: Decimal, months: int) -> None:
    [line] = price_quote(
        LIST, [QuoteLineWrite(product=product, volume=volume)], None, months, Decimal(0)
    ).lines
    if line.floor_price >= 0:
        again = QuoteLineWrite(product=product, volume=volume, price=line.floor_price)
        if product == "TRANSFER" or line.floor_price <= 1:
            assert price_quote(LIST, [again], None, months, Decimal(0)).total.contribution >= 0


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["LOAN-WC", "TD-1Y"]), RATES, MONTHS)
def test_at_the_break_even_volume_nothing_is_lost(product: str, price: Decimal, months: int) -> None:
    def left(volume: Decimal) -> tuple[Decimal, Decimal | None]:
        line = QuoteLineWrite(product=product, volume=volume, price=price)
        [priced_line] = price_quote(LIST, [line], None, months, Decimal(0)).lines
        return priced_line.contribution, priced_line.break_even_volume

    _, volume = left(Decimal(1))
    if volume is not None and volume <= 10**12:
        cents_off = Decimal("0.05")  # each of its amounts is rounded
        assert left(volume)[0] >= -cents_off
        assert left((volume / 2).quantize(Decimal("0.01")))[0] < 0
    elif volume is None:
        assert left(Decimal(10**9))[0] < 0


@settings(max_examples=50, deadline=None)
@given(some_lines(), MONTHS, SUBSIDIES, st.sets(st.sampled_from(["manager", "branch_head", "approver"])))
def test_nobody_goes_below_cost_or_floor_alone(
    lines: list[QuoteLineWrite], months: int, subsidy: Decimal, roles: set[str]
) -> None:
    quote = price_quote(LIST, lines, None, months, subsidy)
    found = decide(LIST.authority, roles, quote)
    if quote.total.revenue < quote.total.cost or quote.total.revenue < quote.total.floor:
        assert found.needs_approval
    if quote.total.revenue < quote.total.floor:
        assert found.approvers == ["approver"]
