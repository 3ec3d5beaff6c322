"""Channels, products and funds of the whole bank, month by month: counts of what was told, no effects."""

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.contracts.base import Currency, Money, Schema, Share, Timestamp

Month = Annotated[
    str,
    StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$"),
    Field(description="Calendar month, where the bank is", examples=["2026-10"]),
]
ChannelName = Annotated[
    str, Field(description="As the transactions name it; empty where they name none", examples=["mobile"])
]
Category = Annotated[str, Field(description="Category of products", examples=["deposit"])]


class ChannelUse(Schema):
    """One channel in one month."""

    channel: ChannelName
    customers: int = Field(description="With a transaction through it")
    customer_share: Share = Field(
        description="Of the month's active; many use several, so these add up to more"
    )
    transactions: int
    transaction_share: Share = Field(description="Of the month's; these add up to 1")


class ChannelMonth(Schema):
    month: Month
    customers: int = Field(description="Active: with a transaction through any channel")
    transactions: int
    channels: list[ChannelUse] = Field(description="Most transactions first")


class ChannelMove(Schema):
    channel: ChannelName | None = Field(description="Of the last month; null: inactive in it")
    customers: int
    share: Share = Field(description="Of the row")


class ChannelOrigin(Schema):
    """Those who were of one channel in the first month, and where they are in the last."""

    channel: ChannelName | None = Field(description="Of the first month; null: inactive in it")
    customers: int = Field(description="The sum of its cells")
    moved_to: list[ChannelMove] = Field(
        description="Every channel of the last month, with 0 where nobody went"
    )


class ChannelMigration(Schema):
    """A customer is of the channel of most of its month's transactions; of several, of that used last."""

    customers: int = Field(description="Active in the first month or the last; the sum of the rows")
    rows: list[ChannelOrigin] = Field(description="By channel, the inactive last")


class ChannelAnalysis(Schema):
    as_of: Timestamp
    first: Month
    last: Month
    months: list[ChannelMonth] = Field(description="Every month asked for, oldest first")
    migration: ChannelMigration | None = Field(description="null when only one month is asked for")


class CategoryPenetration(Schema):
    """Who holds a category at the close of the month, and what was opened and closed in it."""

    category: Category | None = Field(description="null: of products that no account told is of")
    holders: int = Field(description="Customers with an open account of it")
    penetration: Share | None = Field(description="Of customers with any open account; null without one")
    opened: int = Field(description="Openings told of the month")
    closed: int = Field(description="Closings told of the month")


class ProductsHeld(Schema):
    products: int = Field(description="Different products held")
    customers: int
    share: Share


class CrossSale(Schema):
    """Of those who hold A, those who hold B too."""

    held: Category = Field(description="A")
    also: Category = Field(description="B")
    n: int = Field(description="Who hold A")
    both: int | None = Field(description="null: withheld, fewer than `minimum` hold A")
    share: Share | None = Field(description="P(B | A); null as `both`")
    lift: float | None = Field(
        description="P(B | A) / P(B), 1 when they have nothing to do with each other; null: withheld, fewer "
        "than `minimum` hold A or B"
    )


class PenetrationMonth(Schema):
    month: Month
    customers: int = Field(description="With any open account at its close")
    penetration: dict[str, Share] = Field(description="By category; one that nobody holds is left out")


class ProductAnalysis(Schema):
    as_of: Timestamp
    month: Month
    customers: int = Field(description="With any open account at the close of the month")
    categories: list[CategoryPenetration] = Field(description="Most holders first")
    products_held: list[ProductsHeld]
    mean_products: float | None = Field(description="Different products per customer; null without customers")
    minimum: int
    cross_sales: list[CrossSale] = Field(description="Every pair of two categories held, both ways round")
    withheld: int = Field(description="Of these pairs, those with `share` or `lift` withheld")
    trend: list[PenetrationMonth] = Field(description="The last 12 months, oldest first")


class Flow(Schema):
    """Money that transactions moved."""

    inflow: Money
    outflow: Money
    net: Money = Field(description="inflow − outflow")
    undirected: Money = Field(description="Of transactions that do not say which way; in none of the others")
    transactions: int


class ChannelFlow(Flow):
    channel: ChannelName


class CategoryFlow(Schema):
    """What a category's balances were, and what of their change the transactions explain."""

    category: Category | None = Field(
        description="null: transactions that name no product, or an unknown one"
    )
    debt: bool = Field(description="Balances are owed to the bank: money in makes them smaller")
    opening: Money = Field(description="At the close of the month before")
    inflow: Money
    outflow: Money
    closing: Money
    unexplained: Money | None = Field(
        description="closing − opening − inflow + outflow; of a debt closing − opening + inflow − outflow; "
        "null without a category"
    )
    first_told: Money = Field(
        description="Of the closing balance, accounts of which nothing was known at the close before"
    )


class FundsMonth(Flow):
    month: Month
    salaries: Money = Field(
        description="Told as salaries; beside the flows, for banks may post the same money as transactions"
    )
    card_spending: Money = Field(description="Told as spent by card, less refunds; beside the flows as well")
    channels: list[ChannelFlow] = Field(description="By channel")
    categories: list[CategoryFlow] = Field(description="By category, unknown products last")


class FundsAnalysis(Schema):
    """Where money went to or came from outside the account is not told, and not guessed."""

    as_of: Timestamp
    first: Month
    last: Month
    currency: Currency
    currencies: list[Currency] = Field(description="In which anything was told of these months")
    months: list[FundsMonth] = Field(description="Every month asked for, oldest first")
