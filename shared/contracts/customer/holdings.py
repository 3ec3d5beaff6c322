"""Balances sent as a batch."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Code, Currency, Money, Problem, Schema
from shared.contracts.customer.vocabulary import Account, SourceIdentity


class HoldingWrite(SourceIdentity):
    """The balance of one account on one business date; an older date only adds history."""

    account: Account
    product: Code
    balance: Money
    currency: Currency = "CNY"
    as_of: date
    opened_on: date | None = None
    matures_on: date | None = None


class HoldingsWrite(Schema):
    """``POST /v1/holdings``."""

    items: Annotated[list[HoldingWrite], Field(min_length=1, max_length=1000)]


class HoldingItemResult(Schema):
    index: int
    status: Literal["accepted", "rejected"]
    problem: Problem | None = None


class HoldingsResult(Schema):
    """200 when all were accepted, 207 otherwise; only rejected items are listed."""

    accepted: int
    rejected: int
    items: list[HoldingItemResult]
