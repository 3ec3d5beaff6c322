"""What a quote brings, costs and leaves, in the terms contribution is measured in.

Every amount of a line is rounded to the cent, halves away from zero, before it is summed: sums of lines are
exact, and each amount can be recomputed from what is shown beside it. Interest paid on deposits is negative
revenue and their funding a negative cost, so one rule holds for all products: revenue must cover cost.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.contracts.campaign.price_lists import Bundle, PriceListWrite, PriceTerms
from shared.contracts.campaign.quotes import QuoteAlternative, QuoteLine, QuoteLineWrite, QuoteTotals
from shared.errors import FieldError, Unprocessable
from shared.money import cents

_LARGEST = 10**15
"""Amounts from here on are a slip of the hand, and would not fit the fields that show them."""


@dataclass(frozen=True)
class Priced:
    lines: list[QuoteLine]
    total: QuoteTotals


@dataclass(frozen=True)
class _Rates:
    """What one unit of volume brings and costs over the period, unrounded."""

    revenue: Fraction
    funding: Fraction
    loss: Fraction
    handling: Fraction
    capital: Fraction
    charge: Fraction

    @property
    def cost(self) -> Fraction:
        return self.funding + self.loss + self.handling + self.charge


def price_quote(
    prices: PriceListWrite,
    lines: Sequence[QuoteLineWrite],
    bundle: str | None,
    months: int,
    subsidy: Decimal,
) -> Priced:
    """`subsidy`: what may be given away over the quote's months, as `allowed_subsidy` says.

    Raises Unprocessable with a pointer to each line that cannot be priced.
    """
    package = _bundle(prices, bundle)
    terms = {each.product: each for each in prices.products}
    _require_possible(terms, lines, package)
    tariff = _tariff(terms, package)
    priced = [_line(prices, terms[line.product], line, tariff[line.product], months) for line in lines]
    return Priced(priced, _total(prices, terms, priced, package, months, subsidy))


def alternatives(
    prices: PriceListWrite, lines: Sequence[QuoteLineWrite], months: int, subsidy: Decimal
) -> list[QuoteAlternative]:
    """The same volumes one by one at list prices, then in every bundle whose products are all among them."""
    plain = [line.model_copy(update={"price": None}) for line in lines]
    asked = {line.product for line in lines}
    filled = [one for one in prices.bundles if asked >= {line.product for line in one.prices}]
    single = price_quote(prices, plain, None, months, subsidy).total
    found = [QuoteAlternative(**single.model_dump(), bundle=None, name=None)]
    for one in filled:
        total = price_quote(prices, plain, one.key, months, subsidy).total
        saved = total.model_copy(update={"discount": single.revenue - total.revenue})
        found.append(QuoteAlternative(**saved.model_dump(), bundle=one.key, name=one.name))
    return found


def allowed_subsidy(share: Decimal, measured: Decimal, committed: Decimal, months: int) -> Decimal:
    """`share` of a year's measured contribution less what other quotes give away of it a year, for `months`;
    rounded down to the cent. A customer who costs the bank money subsidises nothing.
    """
    yearly = Fraction(share) * max(Fraction(measured), Fraction(0)) - Fraction(committed)
    return Decimal(math.floor(max(yearly, Fraction(0)) * months * 100 / 12)).scaleb(-2)


def given_away(revenue: Decimal, cost: Decimal, months: int) -> Decimal:
    """A year's worth of what a quote falls short of its cost, rounded up to the cent; 0 when it does not."""
    return _ceiling(Fraction(max(cost - revenue, Decimal(0))) * 12 / months, 2)


def _bundle(prices: PriceListWrite, key: str | None) -> Bundle | None:
    if key is None:
        return None
    for bundle in prices.bundles:
        if bundle.key == key:
            return bundle
    raise Unprocessable("there is no such bundle", errors=[FieldError("/bundle", f"there is no {key}")])


def _require_possible(
    terms: Mapping[str, PriceTerms], lines: Sequence[QuoteLineWrite], bundle: Bundle | None
) -> None:
    errors, seen = [], set()
    for index, line in enumerate(lines):
        if line.product not in terms:
            errors.append(FieldError(f"/lines/{index}/product", f"the list has no price for {line.product}"))
        elif line.product in seen:
            errors.append(FieldError(f"/lines/{index}/product", "has a line already"))
        elif terms[line.product].kind != "fee" and line.price is not None and line.price > 1:
            errors.append(FieldError(f"/lines/{index}/price", "is a rate: at most 1"))
        seen.add(line.product)
    lacking = [each.product for each in bundle.prices if each.product not in seen] if bundle else []
    if lacking:
        errors.append(FieldError("/bundle", f"also holds {', '.join(lacking)}"))
    if errors:
        raise Unprocessable("the quote cannot be priced", errors=errors)


def _tariff(terms: Mapping[str, PriceTerms], bundle: Bundle | None) -> dict[str, Decimal]:
    own = {line.product: line.price for line in bundle.prices} if bundle else {}
    return {product: own.get(product, each.list_price) for product, each in terms.items()}


def _rates(prices: PriceListWrite, terms: PriceTerms, price: Decimal, months: int) -> _Rates:
    if terms.kind == "fee":
        return _Rates(
            revenue=Fraction(price) * months,
            funding=Fraction(0),
            loss=Fraction(0),
            handling=Fraction(terms.unit_cost) * months,
            capital=Fraction(0),
            charge=Fraction(0),
        )
    year = Fraction(months, 12)
    sign = -1 if terms.kind == "deposit" else 1
    exposure = Fraction(terms.exposure)
    capital = exposure * Fraction(terms.risk_weight) * Fraction(prices.capital_ratio)
    return _Rates(
        revenue=sign * Fraction(price) * year,
        funding=sign * Fraction(terms.funding_rate) * year,
        loss=exposure * Fraction(terms.pd) * Fraction(terms.lgd) * year,
        handling=Fraction(0),
        capital=capital,
        charge=capital * Fraction(prices.hurdle) * year,
    )


def _line(
    prices: PriceListWrite, terms: PriceTerms, line: QuoteLineWrite, tariff: Decimal, months: int
) -> QuoteLine:
    price = tariff if line.price is None else line.price
    rates = _rates(prices, terms, price, months)
    volume = Fraction(line.volume)
    fixed = Fraction(terms.account_cost) * months
    revenue, funding = cents(volume * rates.revenue), cents(volume * rates.funding)
    loss, operating = cents(volume * rates.loss), cents(volume * rates.handling + fixed)
    capital = cents(volume * rates.capital)
    charge = cents(Fraction(capital) * Fraction(prices.hurdle) * months / 12)
    if max(map(abs, (revenue, funding, loss, operating, capital))) >= _LARGEST:
        raise Unprocessable(
            "the quote is too large",
            errors=[FieldError("/lines", f"the amounts of {terms.product} are beyond what can be priced")],
        )
    cost = funding + loss + operating + charge
    by_tariff = cents(volume * _rates(prices, terms, tariff, months).revenue)
    return QuoteLine(
        product=terms.product,
        name=terms.name,
        kind=terms.kind,
        volume=line.volume,
        price=price,
        tariff=tariff,
        revenue=revenue,
        funding=funding,
        expected_loss=loss,
        operating_cost=operating,
        capital=capital,
        capital_charge=charge,
        cost=cost,
        contribution=revenue - cost,
        discount=by_tariff - revenue,
        discount_share=_shown(discount_share(terms.kind, tariff, price)),
        floor_price=_floor_price(terms.kind, cost, volume, months),
        break_even_volume=_times_until_even(-fixed, rates.revenue - rates.cost, 2),
    )


def discount_share(kind: str, tariff: Decimal, price: Decimal) -> Fraction | None:
    """Share off the tariff, exact; a deposit's discount is a rate above it. None: off a tariff of nothing."""
    given = price - tariff if kind == "deposit" else tariff - price
    if given == 0:
        return Fraction(0)
    if tariff == 0:
        return None if given > 0 else Fraction(0)
    return Fraction(given) / Fraction(tariff)


def _floor_price(kind: str, cost: Decimal, volume: Fraction, months: int) -> Decimal:
    """The least price (of a deposit the highest) whose revenue covers `cost`; six places."""
    if kind == "deposit":
        return -_ceiling(Fraction(cost) * 12 / months / volume, 6)
    period = Fraction(months) if kind == "fee" else Fraction(months, 12)
    return _ceiling(Fraction(cost) / period / volume, 6)


def _total(
    prices: PriceListWrite,
    terms: Mapping[str, PriceTerms],
    lines: Sequence[QuoteLine],
    bundle: Bundle | None,
    months: int,
    subsidy: Decimal,
) -> QuoteTotals:
    fee = bundle.monthly_fee * months if bundle else Decimal(0)
    sums = {
        name: sum((getattr(line, name) for line in lines), Decimal(0))
        for name in ("funding", "expected_loss", "operating_cost", "capital", "capital_charge", "discount")
    }
    revenue = sum((line.revenue for line in lines), fee)
    cost = sum((line.cost for line in lines), Decimal(0))
    fixed = fee - sum((terms[line.product].account_cost * months for line in lines), Decimal(0))
    variable = Fraction(0)
    for line in lines:
        rates = _rates(prices, terms[line.product], line.price, months)
        variable += Fraction(line.volume) * (rates.revenue - rates.cost)
    before_capital = revenue - cost + sums["capital_charge"]
    return QuoteTotals(
        **sums,
        revenue=revenue,
        cost=cost,
        contribution=revenue - cost,
        bundle_fee=fee,
        subsidy=subsidy,
        floor=cost - subsidy,
        raroc=_shown(Fraction(before_capital) * 12 / months / Fraction(sums["capital"]))
        if sums["capital"]
        else None,
        fixed=fixed,
        break_even_share=_times_until_even(Fraction(fixed), variable, 4),
    )


def _times_until_even(fixed: Fraction, each: Fraction, places: int) -> Decimal | None:
    """How often `each` makes up for `fixed`, rounded up; 0: always; None: never, or not within reach."""
    if each < 0 or (each == 0 and fixed < 0):
        return None
    if fixed >= 0:
        return Decimal(0)
    return _ceiling(-fixed / each, places) if -fixed / each < _LARGEST else None


def _ceiling(value: Fraction, places: int) -> Decimal:
    return Decimal(math.ceil(value * 10**places)).scaleb(-places)


def _shown(share: Fraction | None) -> Decimal | None:
    """Six places, for the eye; decisions are made on the exact figure."""
    return None if share is None else Decimal(round(share * 10**6)).scaleb(-6)
