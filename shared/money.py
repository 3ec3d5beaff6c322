"""Amounts of money."""

from decimal import Decimal
from fractions import Fraction


def cents(amount: Decimal | Fraction) -> Decimal:
    """To the cent, halves away from zero, exactly."""
    scaled = abs(Fraction(amount)) * 100 + Fraction(1, 2)
    whole = scaled.numerator // scaled.denominator
    return Decimal(whole if amount >= 0 else -whole).scaleb(-2)
