"""Whose a won amount is, and what share of something came off."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")


def credited(amount: Decimal, referrer_share: Decimal) -> tuple[Decimal, Decimal]:
    """The referrer's and the receiver's part: together the whole, to the cent."""
    referrer = (amount * referrer_share).quantize(_CENT, ROUND_HALF_UP)
    return referrer, amount - referrer


def rate(yes: int, no: int) -> float | None:
    """Of what is decided; nothing while nothing is."""
    return yes / (yes + no) if yes + no else None
