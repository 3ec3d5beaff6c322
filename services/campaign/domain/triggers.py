"""Which changes of a segment are moves of its customers, and what a trigger cannot be combined with."""

from collections.abc import Iterator

from shared.contracts.campaign import CampaignContent
from shared.errors import FieldError

MOVES: frozenset[str] = frozenset({"events", "expiry", "profile"})
"""Causes of a change in which customers moved. In the others it was the segment: a version evaluated for the
first time (`edit`), an evaluation for everybody or a new run of a model (`full`), files of one person that
were merged or parted (`merge`).
"""


def contradictions(content: CampaignContent) -> Iterator[FieldError]:
    """What would leave nobody to be reached, or mean nothing."""
    audience = content.audience
    if audience is None or audience.trigger is None:
        return
    trigger = audience.trigger
    wrong, part = (audience.exclude, "exclude") if trigger.on == "enter" else (audience.include, "include")
    for index, key in enumerate(wrong):
        if key == trigger.segment:
            detail = f"who {trigger.on}s {key} is thereby {'out of' if trigger.on == 'exit' else 'in'} it"
            yield FieldError(f"/audience/{part}/{index}", f"{detail}: nobody could be reached")
    if content.schedule is not None and content.schedule.waves > 1:
        yield FieldError("/schedule/waves", "a campaign with a trigger has no waves")
    if content.optimisation is not None:
        yield FieldError("/optimisation", "nobody can be chosen beforehand of those a trigger will bring")
