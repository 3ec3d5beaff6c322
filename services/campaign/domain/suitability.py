"""Investor suitability (适当性): a product's rating must not exceed the customer's, assessed and valid."""

from collections.abc import Iterable
from typing import get_args

from shared.contracts.campaign import ProductRisk


def rating(level: str) -> int:
    """1–5 of "R3" or "C3"."""
    return int(level[1:])


def required_rating(risks: Iterable[ProductRisk]) -> int:
    """What a member of the audience must reach: the highest of all arms, so that arms stay comparable."""
    return max(map(rating, risks))


def suitable_risks(risk_level: int) -> list[ProductRisk]:
    """What may be sold to a customer assessed at `risk_level` of 1–5."""
    return [risk for risk in get_args(ProductRisk) if rating(risk) <= risk_level]
