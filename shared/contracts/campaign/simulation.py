"""What the simulation of a launch says of channels, money and value."""

from pydantic import Field

from shared.contracts.base import Currency, Key, LocalText, Money, Schema


class ChannelNeed(Schema):
    """Messages of one channel, sent as fast as it takes them in the hours in which the contact policy lets
    them go.
    """

    channel: Key
    name: LocalText
    enabled: bool
    messages: int
    waiting: int = Field(description="Of other campaigns, as far as you see them: they go before")
    per_minute: int
    daily_capacity: int
    per_day: int = Field(
        description="The least of its capacity and what its rate brings in the hours of a day"
    )
    days: int = Field(description="Days of the schedule from today on, without those that are rested")
    days_needed: int | None = Field(description="From the first of them on; null where no day takes any")
    beyond_capacity: int = Field(description="Messages that would not be sent until the schedule's end")
    cost: Money
    currency: Currency


class ExpectedCost(Schema):
    """Of all contacts: managers' minutes, as long as scripts say, and messages."""

    amount: Money
    currency: Currency = Field(description="The budget's, else that of the channels")
    budget: Money | None = Field(description="Null: the campaign has none")
    over: Money | None = Field(description="What the budget lacks; null without a budget")


class ExpectedValue(Schema):
    """What the optimisation expects of those it chose: what acceptances are worth by the shares of the arms,
    times the response rate, of everybody whom a launch would assign or hold out by chance.
    """

    amount: Money
    currency: Currency
    customers: int
