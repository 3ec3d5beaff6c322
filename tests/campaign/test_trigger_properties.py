"""Random moves, told late, early and twice, between pauses: whoever is contacted has moved, and once."""

from datetime import datetime
from random import Random
from uuid import UUID

import pytest

from shared import clock
from shared.contracts.events import SegmentUpdated
from tests.campaign.town import Cause, Town, audience, town

__all__ = ["town"]

CAUSES: tuple[Cause, ...] = ("events", "events", "profile", "expiry", "edit", "full", "merge")
STEPS = 12


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 30))])
async def test_whoever_moved_while_it_ran_is_decided_on_once(town: Town, seed: int) -> None:
    rng = Random(seed)
    on_pause = rng.choice(("hold", "drop"))
    campaign_id = await town.opened(audience=audience(trigger={"on_pause": on_pause}))
    inside: set[UUID] = set()
    may: set[UUID] = set()
    must: set[UUID] = set()
    paused = False
    late: list[SegmentUpdated] = []
    for _ in range(STEPS):
        if rng.random() < 0.2:
            await town.verb(
                campaign_id, "resume" if paused else "pause", **({} if paused else {"reason": "x"})
            )
            paused = not paused
        event = _step(town, rng, inside, clock.now())
        must -= {*event.joined, *event.left}
        if event.cause in {"events", "profile", "expiry"} and not (paused and on_pause == "drop"):
            may |= set(event.joined)
            must |= set(event.joined)
        told = [event] if rng.random() < 0.7 else []
        late += [event] if not told or rng.random() < 0.3 else []
        await town.tell(*told)
        if rng.random() < 0.4:
            await town.decided()
    rng.shuffle(late)
    await town.tell(*late)
    if paused:
        await town.verb(campaign_id, "resume")
    await town.decided()
    lines = await town.lines(campaign_id)
    # Who moved and has not gone back since is never forgotten.
    assert must <= set(lines) <= may
    progress = await town.bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert progress["balanced"], progress["imbalances"]
    assert progress["ledger"]["audience"] == len(lines) == len(await town.told())


def _step(town: Town, rng: Random, inside: set[UUID], at: datetime) -> SegmentUpdated:
    """Some come and some go; `inside` follows."""
    moving = {each for each in town.ids if rng.random() < 0.3}
    joined, left = moving - inside, moving & inside
    inside ^= moving
    return town.change(sorted(joined), sorted(left), cause=rng.choice(CAUSES), at=at)
