"""What messages of a launch would mean for their channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.absences import LONGEST_DAYS
from services.campaign.domain.capacity import sending
from services.campaign.domain.contact_rules import DAY_MINUTES, ContactRules
from services.campaign.domain.plan import Plan
from services.campaign.models import Channel
from services.campaign.queries.references import References
from shared import clock
from shared.contracts.base import LocalText
from shared.contracts.campaign.simulation import ChannelNeed
from shared.db import fetch

_TAKEN = """
SELECT channel, count(*) FILTER (WHERE state IN ('planned', 'claimed'))::int,
  count(*) FILTER (WHERE submitted_at >= %(midnight)s)::int
FROM message WHERE channel = ANY(%(channels)b::text[]) AND campaign_id <> %(campaign)s
  AND (state IN ('planned', 'claimed') OR submitted_at >= %(midnight)s)
GROUP BY channel
"""


@dataclass(frozen=True)
class _Taken:
    """By others: messages that wait, and those that went out today."""

    waiting: int = 0
    today: int = 0


async def channel_needs(
    session: AsyncSession,
    campaign_id: UUID,
    plan: Plan,
    found: References,
    rules: ContactRules,
    assigned: Mapping[tuple[str, int], int],
) -> list[ChannelNeed]:
    """`assigned`: contacts by arm and wave."""
    now = clock.now()
    channel_of = {arm.key: arm.channel for arm in plan.scheme.arms}
    by_channel: dict[str, dict[int, int]] = {key: {} for key in channel_of.values() if key in found.channels}
    for (arm, wave), contacts in assigned.items():
        if channel_of[arm] in by_channel:
            waves = by_channel[channel_of[arm]]
            waves[wave] = waves.get(wave, 0) + contacts
    taken = await _taken(session, campaign_id, list(by_channel), now) if by_channel else {}
    days = _Days.of(plan, rules, now)
    return [
        _need(found.channels[key], days, waves, taken.get(key, _Taken()))
        for key, waves in sorted(by_channel.items())
    ]


async def _taken(
    session: AsyncSession, campaign_id: UUID, channels: Sequence[str], now: datetime
) -> dict[str, _Taken]:
    midnight = datetime.combine(now.astimezone(clock.ZONE), time.min, clock.ZONE)
    parameters = {"channels": channels, "campaign": campaign_id, "midnight": midnight}
    return {key: _Taken(*counts) for key, *counts in await fetch(session, _TAKEN, parameters)}


@dataclass(frozen=True)
class _Days:
    """From the first on which messages may go to the schedule's last; `minutes` of each in which they may."""

    begins: int
    """Minute of the first of them."""
    minutes: Sequence[int]
    minutes_a_day: int
    gap: int
    """Minutes from wave to wave."""
    today: bool

    @classmethod
    def of(cls, plan: Plan, rules: ContactRules, now: datetime) -> "_Days":
        start, end = plan.schedule.start, plan.schedule.end
        begins = now.astimezone(clock.ZONE)
        today = start <= begins.date()
        if not today:
            begins = datetime.combine(start, time.min, clock.ZONE)
        first = begins.date()
        length = min((end - first).days + 1, LONGEST_DAYS)
        days = [first + timedelta(days=offset) for offset in range(length)]
        minutes = [rules.open_minutes(day, begins.time() if day == first else time.min) for day in days]
        minute = begins.hour * 60 + begins.minute
        return cls(minute, minutes, rules.minutes_a_day, plan.schedule.wave_gap_minutes, today)

    def arrivals(self, waves: Mapping[int, int]) -> tuple[list[int], int]:
        """What becomes due on each of the days, and behind them."""
        by_day, late = [0] * len(self.minutes), 0
        for wave, contacts in waves.items():
            day = (self.begins + self.gap * (wave - 1)) // DAY_MINUTES
            if day < len(by_day):
                by_day[day] += contacts
            else:
                late += contacts
        return by_day, late


def _need(channel: Channel, days: _Days, waves: Mapping[int, int], taken: _Taken) -> ChannelNeed:
    messages = sum(waves.values())
    arrivals, late = days.arrivals(waves)
    room = [min(channel.daily_capacity, channel.per_minute * minutes) for minutes in days.minutes]
    if room:
        arrivals[0] += taken.waiting
    if room and days.today:
        room[0] = max(min(room[0], channel.daily_capacity - taken.today), 0)
    per_day = min(channel.daily_capacity, channel.per_minute * days.minutes_a_day)
    found = sending(arrivals, room, late=late, per_day=per_day)
    return ChannelNeed(
        channel=channel.key,
        name=LocalText.model_validate(channel.name),
        enabled=channel.state == "enabled",
        messages=messages,
        waiting=taken.waiting,
        per_minute=channel.per_minute,
        daily_capacity=channel.daily_capacity,
        per_day=per_day,
        days=sum(minutes > 0 for minutes in days.minutes),
        days_needed=found.days,
        beyond_capacity=min(found.left, messages),
        cost=messages * channel.cost,
        currency=channel.currency,
    )
