"""Periods of activity targets, and how much of them is attained."""

from datetime import date, timedelta

from shared.contracts.campaign.activity_targets import Activity, ActivityPeriod, Attained

ACTIVITIES: tuple[Activity, ...] = (
    "calls",
    "visits",
    "new_customers",
    "existing_customers",
    "opportunities",
)


def days_of(period: ActivityPeriod, on: date) -> tuple[date, date]:
    """First and last day of the period that `on` is in; weeks begin on Monday."""
    if period == "day":
        return on, on
    if period == "week":
        first = on - timedelta(days=on.weekday())
        return first, first + timedelta(days=6)
    first = on.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def attained(activity: Activity, done: int, target: int | None) -> Attained:
    return Attained(activity=activity, done=done, target=target, attainment=done / target if target else None)
