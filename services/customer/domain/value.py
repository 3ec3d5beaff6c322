"""Value of one customer's product in one month: the reference the set-based calculation is held to.

Contribution = margin + fees − expected loss − operating cost − capital charge, per customer, product and
month. Every figure of a row is rounded to the cent, halves away from zero, before it is used or summed: sums
of rows are therefore exact, and each figure can be recomputed from the ones shown beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from shared.contracts.customer.value import (
    BalanceSide,
    CurvePoint,
    ForProducts,
    FundingTerm,
    LossTerm,
    ValueModelWrite,
)
from shared.money import cents

BANDS: tuple[str, ...] = ("C1", "C2", "C3", "C4", "C5", "")
"""Risk levels of customers; the empty one stands for a customer without."""

Term = TypeVar("Term", bound=ForProducts)

_DEBTS = frozenset({"loan", "card"})
_DEPOSITS = frozenset({"demand", "time_deposit", "payroll"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a model says of one product, every fallback resolved. Rates are annual."""

    side: BalanceSide
    margin: Decimal
    day_count: int
    risk_weight: Decimal
    account_cost: Decimal
    loss: Mapping[str, Decimal]
    """Expected loss rate (PD × LGD) by risk level; every one of `BANDS`."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days of a month that count: all of them, or those up to today. `end` is the day after the last."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days


@dataclass(frozen=True, slots=True)
class Result:
    """One row, each amount to the cent."""

    average_balance: Decimal
    ftp_margin: Decimal
    fees: Decimal
    expected_loss: Decimal
    operating_cost: Decimal
    capital: Decimal
    capital_charge: Decimal

    @property
    def contribution(self) -> Decimal:
        return self.ftp_margin + self.fees - self.expected_loss - self.operating_cost - self.capital_charge


def terms_of(model: ValueModelWrite, product: str, category: str, catalogue_margin: Decimal) -> Terms:
    """The most specific term for each question: by product, by category, for all others."""
    funding = _specific(model.funding, product, category)
    weight = _specific(model.capital, product, category)
    cost = _specific(model.account_costs, product, category)
    side, margin, day_count = _funding(model, funding, category, catalogue_margin)
    return Terms(
        side=side,
        margin=margin,
        day_count=day_count,
        risk_weight=weight.risk_weight if weight else Decimal(0),
        account_cost=cost.monthly if cost else Decimal(0),
        loss={band: _loss(model.losses, product, category, band) for band in BANDS},
    )


def transfer_rate(curve: Sequence[CurvePoint], days: int) -> Decimal:
    """The price of money for `days`: linear between the points of the curve, flat beyond them; 8 places."""
    before = [point for point in curve if point.days <= days]
    after = [point for point in curve if point.days >= days]
    if not before or not after:
        return (after[0] if after else before[-1]).rate
    low, high = before[-1], after[0]
    if low.days == high.days:
        return low.rate
    between = low.rate + (high.rate - low.rate) * (days - low.days) / (high.days - low.days)
    return between.quantize(Decimal("0.00000001"))


def period_of(month: date, today: date) -> Period:
    """`month` (its first day) as far as it has gone by the end of `today`, which is in it or after it."""
    return Period(month, min(next_month(month), today + timedelta(days=1)))


def next_month(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def due_month(today: date) -> date | None:
    """On and after the first working day (Monday to Friday) of a month: the first day of the month before."""
    first = today.replace(day=1)
    while first.weekday() >= 5:
        first += timedelta(days=1)
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1) if today >= first else None


def weighted_balance(days: Iterable[tuple[date, Decimal]], period: Period) -> Decimal:
    """Sum over the period's days of the balance last told by the end of each; before the first word nothing.

    `days` are (date, balance at its end), unique by date, in any order, also before and after the period.
    """
    told = sorted(pair for pair in days if pair[0] < period.end)
    ends = [*(day for day, _ in told[1:]), period.end][: len(told)]
    stretches = (
        ((until - max(day, period.start)).days, balance)
        for (day, balance), until in zip(told, ends, strict=True)
        if until > period.start
    )
    return sum((balance * count for count, balance in stretches), Decimal(0))


def row_of(
    model: ValueModelWrite,
    terms: Terms,
    period: Period,
    *,
    weighted: Decimal,
    accounts: int,
    fees: Decimal,
    event_costs: Decimal,
    band: str | None,
) -> Result:
    """`weighted` is the sum of `weighted_balance` over the accounts, in the model's currency."""
    average = cents(Fraction(weighted) / period.days)
    exposure = max(-average if terms.side == "liability" else average, Decimal(0))
    year = Fraction(period.days, model.day_count)
    capital = cents(Fraction(exposure) * Fraction(terms.risk_weight) * Fraction(model.capital_ratio))
    return Result(
        average_balance=average,
        ftp_margin=cents(Fraction(average) * Fraction(terms.margin) * period.days / terms.day_count),
        fees=cents(fees),
        expected_loss=cents(Fraction(exposure) * Fraction(terms.loss[band or ""]) * year),
        operating_cost=cents(accounts * terms.account_cost + event_costs),
        capital=capital,
        capital_charge=cents(Fraction(capital) * Fraction(model.hurdle) * year),
    )


def raroc(income: Decimal, loss: Decimal, cost: Decimal, capital_years: Decimal) -> Decimal | None:
    """(Income − expected loss − operating cost) / (economic capital × years); null without capital."""
    if capital_years == 0:
        return None
    return ((income - loss - cost) / capital_years).quantize(Decimal("0.000001"))


def split(amount: Decimal, shares: Sequence[Decimal]) -> list[Decimal]:
    """Whole cents by largest remainder, earlier shares first among equals; they add up to `amount`."""
    exact = [Fraction(amount) * 100 * Fraction(share) for share in shares]
    whole = [value.numerator // value.denominator for value in exact]
    left = int(amount * 100) - sum(whole)
    order = sorted(range(len(shares)), key=lambda i: (whole[i] - exact[i], i))
    for index in order[:left]:
        whole[index] += 1
    return [Decimal(value).scaleb(-2) for value in whole]


def _specific(terms: Iterable[Term], product: str, category: str) -> Term | None:
    """By product, else by category, else the one for all others."""
    found = {(term.product, term.category): term for term in terms}
    for key in ((product, None), (None, category), (None, None)):
        if key in found:
            return found[key]
    return None


def _funding(
    model: ValueModelWrite, term: FundingTerm | None, category: str, catalogue_margin: Decimal
) -> tuple[BalanceSide, Decimal, int]:
    if term is None:
        return _side(category), catalogue_margin, model.day_count
    if term.customer_rate is None or term.tenor_days is None:
        return term.side, term.margin or Decimal(0), term.day_count
    price = transfer_rate(model.curve, term.tenor_days)
    margin = term.customer_rate - price if term.side == "asset" else price - term.customer_rate
    return term.side, margin, term.day_count


def _side(category: str) -> BalanceSide:
    if category in _DEBTS:
        return "asset"
    return "liability" if category in _DEPOSITS else "service"


def _loss(terms: Sequence[LossTerm], product: str, category: str, band: str) -> Decimal:
    """The term of this risk level counts before that for any; among those the more specific product."""
    for wanted in (band, None):
        term = _specific([t for t in terms if t.band == wanted], product, category)
        if term is not None:
            return term.pd * term.lgd
    return Decimal(0)
