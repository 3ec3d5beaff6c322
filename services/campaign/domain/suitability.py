"""Investor suitability (适当性): a product's rating must not exceed the customer's, assessed and valid."""

from collections.abc import Iterable

from shared.contracts.campaign import ProductRisk


def rating(level: str) -> int:
    """1–5 of "R3" or "C3"."""
    return int(level[1:])


def required_rating(risks: Iterable[ProductRisk]) -> int:
    """What a member of the audience must reach: the highest of all arms, so that arms stay comparable."""
    return max(map(rating, risks))
