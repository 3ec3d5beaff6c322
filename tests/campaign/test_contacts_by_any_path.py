"""Whatever happens in a bank, in whatever order: nobody is contacted who may not be, by any path.

Random policies, customers and histories; random acts of managers, customers, providers and the clock; and an
oracle that knows the rules by itself (`contact_oracle`) and judges each contact that is really made: a task
that begins, a message that reaches the provider.
"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.campaign.contact_acts import ACT, BY_NAME
from tests.campaign.contact_world import Stage, a_world, stage

__all__ = ["stage"]
pytestmark = pytest.mark.xdist_group("contacts-by-any-path")
_TALLY: Counter[str] = Counter()


async def _live(stage: Stage, seed: int, acts: list[str]) -> None:
    bank = stage.bank
    stage.provider.world = world = await a_world(bank, seed, _TALLY)
    try:
        for name in ["launch", *acts, "call", "send", "a_morning_at_work"]:
            world.story.append(name)
            await BY_NAME[name](world)
            await world.check()
        for plan in world.plans:
            progress = await bank.get(f"/v1/campaigns/{plan.id}/progress")
            # Members of a later wave may not have been decided on yet.
            wrong = [each for each in progress["imbalances"] if "not decided" not in each]
            assert not wrong, (wrong, world.story)
    finally:
        await world.end()


SEED = st.integers(0, 2**32 - 1)
HOW: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=10, phases=(Phase.generate,), **HOW)
@given(seed=SEED, acts=st.lists(ACT, min_size=4, max_size=8))
async def test_nobody_is_contacted_who_may_not_be(stage: Stage, seed: int, acts: list[str]) -> None:
    await _live(stage, seed, acts)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(max_examples=600, phases=(Phase.generate, Phase.shrink), **HOW)
@given(seed=SEED, acts=st.lists(ACT, min_size=6, max_size=16))
async def test_nobody_is_contacted_in_many_more_banks(stage: Stage, seed: int, acts: list[str]) -> None:
    await _live(stage, seed, acts)


async def test_contacts_were_made(stage: Stage) -> None:
    """The tests before would find nothing wrong if nobody were contacted. Arms differ in every run, so some
    more lives may be needed.
    """
    for seed in range(20):
        if all(_TALLY[way] for way in ("begun", "sent", "recorded")):
            return
        await _live(stage, seed, ["launch"])
    pytest.fail(f"nobody was contacted: {_TALLY}")
