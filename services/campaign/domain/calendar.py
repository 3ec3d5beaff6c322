"""Which campaigns ask the same people at the same time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations
from uuid import UUID

from shared.contracts.campaign.calendar import CalendarCampaign, CalendarDay, CalendarOverlap


def overlaps(campaigns: Sequence[CalendarCampaign]) -> Iterator[CalendarOverlap]:
    """Each two campaigns that include a segment on the same days, in the order of `campaigns`."""
    including: dict[str, list[int]] = defaultdict(list)
    for index, campaign in enumerate(campaigns):
        for segment in dict.fromkeys(campaign.segments):
            including[segment].append(index)
    shared: dict[tuple[int, int], list[str]] = defaultdict(list)
    for segment, indexes in including.items():
        for pair in combinations(indexes, 2):
            shared[pair].append(segment)
    for (one, other), segments in sorted(shared.items()):
        first, second = campaigns[one], campaigns[other]
        start, end = max(first.start, second.start), min(first.end, second.end)
        if start <= end:
            yield CalendarOverlap(
                first=first.id, second=second.id, segments=sorted(segments), start=start, end=end
            )


def days(campaigns: Sequence[CalendarCampaign]) -> list[CalendarDay]:
    """Expected contacts and campaigns of every day on which a wave is due."""
    contacts: dict[date, int] = defaultdict(int)
    due: dict[date, set[UUID]] = defaultdict(set)
    for campaign in campaigns:
        for wave in campaign.waves:
            contacts[wave.on] += wave.contacts or 0
            due[wave.on].add(campaign.id)
    return [CalendarDay(day=day, contacts=contacts[day], campaigns=len(due[day])) for day in sorted(contacts)]
