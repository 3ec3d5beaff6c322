"""Forms that many features share."""

from services.segmentation.domain.features import Dated, Feature, Missing, Source, Turn
from services.segmentation.domain.features import FeatureType as Type

SINCE_EVENT = Dated("event", "time", Turn.since)
LOCAL_DATE = "timezone($zone, timezone('UTC', time))::DATE"
"""The business date of an event, in the bank's zone."""


def within(days: int) -> str:
    return f"time > $t - INTERVAL {days} DAY"


def attribute(key: str, zh: str, en: str, kind: Type) -> Feature:
    return Feature(key, zh, en, kind, Source.customer, key)


def dated(key: str, zh: str, en: str, unit: str, expression: str, column: str, turn: Turn) -> Feature:
    """A whole number that follows from a date of the customer's row and the business date."""
    changes = (Dated("customer", column, turn),)
    return Feature(key, zh, en, Type.integer, Source.customer, expression, unit, dated=changes)


def summed_balance(key: str, zh: str, en: str, condition: str, source: Source = Source.holding) -> Feature:
    changes = (Dated("holding", "as_of", Turn.passing, days=(90,)),) if source is Source.past else ()
    return Feature(
        key,
        zh,
        en,
        Type.money,
        source,
        f"sum(balance) FILTER ({condition})",
        "CNY",
        Missing.zero,
        dated=changes,
    )


def mean_balance(key: str, zh: str, en: str, condition: str, days: int) -> Feature:
    """The mean over the last `days` business dates, today's among them, of the balance at the day's end."""
    held = (
        f"greatest(0, date_diff('day', greatest(since, $today - {days - 1}), least(until, $today + 1)))"
        "::INTEGER"
    )
    return Feature(
        key,
        zh,
        en,
        Type.money,
        Source.day,
        f"sum(balance * {held}) FILTER ({condition}) / {days}",
        "CNY",
        Missing.zero,
        dated=(Dated("holding", "as_of", Turn.any),),
    )


def counted(key: str, zh: str, en: str, event: str, days: int, condition: str = "") -> Feature:
    extra = f" AND {condition}" if condition else ""
    return Feature(
        key,
        zh,
        en,
        Type.integer,
        Source.event,
        f"count(*) FILTER (type = '{event}' AND {within(days)}{extra})",
        "times",
        Missing.zero,
        (event,),
        days,
    )


def summed(
    key: str, zh: str, en: str, event: str, days: int, condition: str = "", value: str = "amount"
) -> Feature:
    extra = f" AND {condition}" if condition else ""
    return Feature(
        key,
        zh,
        en,
        Type.money,
        Source.event,
        f"sum({value}) FILTER (type = '{event}' AND {within(days)}{extra})",
        "CNY",
        Missing.zero,
        (event,),
        days,
    )


def aggregated(
    key: str,
    zh: str,
    en: str,
    kind: Type,
    unit: str | None,
    value: str,
    event: str,
    days: int,
    missing: Missing = Missing.unknown,
) -> Feature:
    """An aggregate over the events of the last days."""
    expression = f"{value} FILTER (type = '{event}' AND {within(days)})"
    return Feature(key, zh, en, kind, Source.event, expression, unit, missing, (event,), days)


def days_since(key: str, zh: str, en: str, event: str) -> Feature:
    """Business dates since the last one: 0 on its day."""
    last = f"max({LOCAL_DATE}) FILTER (type = '{event}')"
    return Feature(
        key,
        zh,
        en,
        Type.integer,
        Source.event,
        f"date_diff('day', {last}, $today)",
        "day",
        types=(event,),
        dated=(SINCE_EVENT,),
    )


def derived(
    key: str, zh: str, en: str, kind: Type, expression: str, uses: tuple[str, ...], unit: str | None = None
) -> Feature:
    return Feature(key, zh, en, kind, Source.derived, expression, unit, uses=uses)
