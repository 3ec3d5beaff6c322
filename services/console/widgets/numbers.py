"""Exact numbers as they are typed: amounts with commas, rates as per cent."""

from decimal import Decimal, InvalidOperation


def plain(number: Decimal) -> str:
    """Without the zeros at the end that say nothing."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(typed: object) -> str:
    """As typed, without the commas and spaces between thousands."""
    return str(typed or "").strip().replace(",", "").replace(" ", "")


def hundredth(typed: object) -> str:
    """Of what was typed as per cent, exact; what is no number stays as it is, and the service says so."""
    text = number(typed)
    try:
        found = Decimal(text)
    except InvalidOperation:
        return text
    return plain(found.scaleb(-2)) if found.is_finite() else text


def per_cent(share: Decimal) -> str:
    """How a share is typed."""
    return plain(share.scaleb(2))
