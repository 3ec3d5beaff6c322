"""How numbers, money and times are written on pages: as in every report."""

from shared.formats import (
    NOTHING,
    Numeric,
    Quantity,
    compact,
    day,
    exact_money,
    figure,
    moment,
    money,
    p_value,
    percent,
    whole,
)

__all__ = [
    "NOTHING",
    "Numeric",
    "Quantity",
    "compact",
    "day",
    "exact_money",
    "figure",
    "moment",
    "money",
    "p_value",
    "percent",
    "whole",
]
