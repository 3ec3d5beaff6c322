"""Changes of segments stored together leave what they leave when stored one by one."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import (
    AudienceMember,
    Campaign,
    CampaignTrigger,
    ErasedCustomer,
    Segment,
    SegmentMember,
    TriggerEntry,
)
from services.campaign.usecases.readmodel import store_members
from shared import clock
from shared.contracts.events import SegmentUpdated
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT
from tests.campaign.town import Cause, Town, audience, town

__all__ = ["town"]

CAUSES: tuple[Cause, ...] = ("events", "events", "profile", "expiry", "edit", "full", "merge")
CHANGES = 24
_KEPT: dict[str, Select[*tuple[Any, ...]]] = {
    "segments": select(Segment.id, Segment.key, Segment.version, Segment.size, Segment.evaluated_at),
    "members": select(
        SegmentMember.segment_id,
        SegmentMember.customer_id,
        SegmentMember.member,
        SegmentMember.changed_at,
        SegmentMember.cause,
    ),
    "entries": select(TriggerEntry.campaign_id, TriggerEntry.customer_id, TriggerEntry.moved_at),
}


@pytest.fixture
async def open_town(town: Town) -> Town:
    """Two campaigns wait for who comes and for who goes."""
    await town.opened(audience=audience())
    await town.opened(audience=audience("exit", trigger={"on_pause": "drop"}))
    return town


@pytest.mark.parametrize(
    "seeds", [range(6), *(pytest.param(range(n, n + 20), marks=pytest.mark.slow) for n in range(6, 106, 20))]
)
async def test_together_as_one_by_one(open_town: Town, seeds: range) -> None:
    noted = 0
    for seed in seeds:
        rng = Random(seed)
        opened = clock.now()
        changes = [_change(open_town, rng, opened) for _ in range(CHANGES)]
        one_by_one = await _left_by(open_town, opened, [[change] for change in changes])
        assert await _left_by(open_town, opened, _batches(rng, changes)) == one_by_one
        # What was stored already is told again: a half of the last batch, and then all of it.
        assert await _left_by(open_town, opened, [changes, changes[CHANGES // 2 :]]) == one_by_one
        noted += len(one_by_one["entries"])
    assert noted


def _change(town: Town, rng: Random, opened: datetime) -> SegmentUpdated:
    """Of one segment or the other, at one of a few moments, so that many are at the same."""
    joined = [each for each in town.ids if rng.random() < 0.3]
    left = [each for each in town.ids if rng.random() < 0.3]
    return town.change(
        rng.choices(joined, k=len(joined)) if joined and rng.random() < 0.2 else joined,
        left,
        key=rng.choice([SEGMENT, *["coming"] * 3]),
        cause=rng.choice(CAUSES),
        at=opened + timedelta(seconds=rng.choice([-3600, 0, 1, 2, 3, 4, 5, 86_400 * 40])),
        version=rng.choice([1, 1, 1, 2]),
    )


def _batches(rng: Random, changes: Sequence[SegmentUpdated]) -> list[Sequence[SegmentUpdated]]:
    cuts = sorted(rng.sample(range(1, CHANGES), 3))
    return [changes[first:last] for first, last in zip([0, *cuts], [*cuts, CHANGES], strict=True)]


class _UndoneError(Exception):
    pass


async def _left_by(
    town: Town, opened: datetime, batches: Sequence[Sequence[SegmentUpdated]]
) -> dict[str, list[Any]]:
    """Everything the batches leave in the tables; undone, so that each order begins with the same."""
    found: dict[str, list[Any]] = {}
    with contextlib.suppress(_UndoneError):
        async with town.bank.campaign.runtime.db.transaction() as session:
            await _make_hard(session, town, opened)
            for batch in batches:
                await store_members(session, *batch)
            for name, query in _KEPT.items():
                found[name] = sorted(tuple(row) for row in await session.execute(query))
            raise _UndoneError
    return found


async def _make_hard(session: AsyncSession, town: Town, opened: datetime) -> None:
    """One was erased, one is decided on, and who goes is let go by for a second."""
    session.add(ErasedCustomer(id=town.ids[0], receipt_id=new_id(), erased_at=opened))
    await session.execute(update(CampaignTrigger).values(opened_at=opened))
    campaigns: list[UUID] = list(await session.scalars(select(CampaignTrigger.campaign_id)))
    session.add(
        AudienceMember(
            campaign_id=campaigns[0], customer_id=town.ids[1], wave=1, segment=SEGMENT, org_path="hq"
        )
    )
    second = (opened + timedelta(seconds=2), opened + timedelta(seconds=3))
    await session.execute(
        update(CampaignTrigger)
        .where(CampaignTrigger.moves == "exit")
        .values(closed=func.tstzmultirange(func.tstzrange(*second)))
    )
    await session.execute(update(Campaign).values(ends_on=opened.date() + timedelta(days=7)))
    await session.flush()
