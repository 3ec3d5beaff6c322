"""A campaign's use of money and quota by day, and what a day takes."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from services.evaluation.domain import pace as domain
from services.evaluation.store.pace import Used
from shared.clock import ZONE
from shared.contracts.evaluation.pace import DayPace, Pace, Rate

_CENT = Decimal("0.01")


def campaign_pace(campaign_id: UUID, used: Sequence[Used], begins: date, ends: date, at: datetime) -> Pace:
    """Every day from the first until today or the last; rates leave out the day that is not over."""
    today = at.astimezone(ZONE).date()
    first = min([begins, *(each.day for each in used)])
    last = max([min(today, ends), *(each.day for each in used)])
    days = [_of(used, first + timedelta(days=n)) for n in range((last - first).days + 1)]
    whole = [day for day in days if day.day < today]
    offers = sorted({offer for day in days for offer in day.sold})
    rates = {offer: _rate([day.sold.get(offer, 0) for day in whole]) for offer in offers}
    return Pace(
        campaign_id=campaign_id,
        as_of=at,
        days=days,
        rate_days=min(len(whole), domain.LAST_DAYS),
        cost_rate=_rate([float(day.cost) for day in whole]),
        sold_rates={offer: rate for offer, rate in rates.items() if rate},
    )


def _of(used: Sequence[Used], day: date) -> DayPace:
    those = [each for each in used if each.day == day]
    sold: dict[str, int] = {}
    for each in those:
        if each.offer and each.sold:
            sold[each.offer] = sold.get(each.offer, 0) + each.sold
    return DayPace(
        day=day,
        contacts=sum(each.contacts for each in those),
        cost=sum((each.cost for each in those), Decimal()).quantize(_CENT),
        sold=sold,
    )


def _rate(daily: Sequence[float]) -> Rate | None:
    found = domain.rate(daily)
    if found is None:
        return None
    per_day, low, high = (
        Decimal(repr(value)).quantize(_CENT) for value in (found.per_day, found.low, found.high)
    )
    return Rate(per_day=per_day, low=low, high=high)
