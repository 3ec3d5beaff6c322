"""A store made anew from the streams holds what the first one holds."""

import asyncio
from dataclasses import astuple
from pathlib import Path

import duckdb
import pytest

from services.evaluation.domain.catalogue import BUILT_IN
from services.evaluation.store import DeskFeed, Store, StoreFeed, TierFeed, open_store
from services.evaluation.store.cells import cell_moments
from services.evaluation.store.desks import DeskQuestion, feedback, opportunities, referrals
from services.evaluation.store.outcomes import Question
from shared import clock
from shared.auth import Role
from tests.evaluation.bank import Campaign
from tests.evaluation.test_loop import result_of
from tests.evaluation.test_review import desks
from tests.support import Running, eventually


async def test_a_store_rebuilt_from_the_streams_holds_the_same_outcomes(
    evaluation: Running, tmp_path: Path
) -> None:
    campaign = Campaign(effect=500, treated=300, held_out=200)
    async with evaluation.client(Role.strategist) as strategist:
        facts = campaign.facts()
        await evaluation.publish(*facts, *desks(campaign, facts), campaign.completed())
        await result_of(strategist, campaign.id)
    rebuilt = open_store(tmp_path / "rebuilt.duckdb", memory="512MB", threads=2)
    targets = {
        "evaluation": StoreFeed(rebuilt),
        "evaluation-desks": DeskFeed(rebuilt),
        "evaluation-tiers": TierFeed(rebuilt),
    }
    feeds = [
        asyncio.create_task(
            evaluation.runtime.bus.feed(
                f"rebuild-{feed.name}",
                feed.stream,
                [f"{event.SUBJECT}.>" for event in feed.events],
                targets[feed.name],
            )
        )
        for feed in evaluation.runtime.service.feeds
    ]
    goals = {
        stream: await evaluation.runtime.bus.last_sequence(stream) for stream in ("CUSTOMER", "CAMPAIGN")
    }

    async def caught_up() -> bool:
        at_desks = targets["evaluation-desks"].watermark("CAMPAIGN")
        return at_desks >= goals["CAMPAIGN"] and all(
            rebuilt.watermark(stream) >= goal for stream, goal in goals.items()
        )

    try:
        await eventually(caught_up, what="the rebuilt store at the streams' ends")
        question = Question(campaign.id, clock.now())

        def moments(cursor: duckdb.DuckDBPyConnection) -> dict[tuple[str, ...], tuple[float, ...]]:
            found = cell_moments(cursor, question, list(BUILT_IN.values()))
            return {
                (metric, cell.arm, cell.segment, cell.branch): astuple(cell.moments)
                for metric, cells in found.items()
                for cell in cells
            }

        streamed = await evaluation.runtime.resource(Store).read(moments)
        again = await rebuilt.read(moments)
        assert streamed.keys() == again.keys()
        for cell, values in streamed.items():
            # Sums of floats differ in their last digit with the order of the rows.
            assert again[cell] == pytest.approx(values, rel=1e-12), cell
        await _told_the_same_of_desks(evaluation.runtime.resource(Store), rebuilt, campaign)
    finally:
        for feed in feeds:
            feed.cancel()
        await asyncio.gather(*feeds, return_exceptions=True)
        rebuilt.close()


async def _told_the_same_of_desks(streamed: Store, rebuilt: Store, campaign: Campaign) -> None:
    asked = DeskQuestion("*", campaign.id)

    def counted(cursor: duckdb.DuckDBPyConnection) -> tuple[object, ...]:
        return (
            referrals(cursor, asked),
            opportunities(cursor, asked, "org", "CNY"),
            feedback(cursor, campaign.id, "*"),
        )

    async def same() -> bool:
        return await streamed.read(counted) == await rebuilt.read(counted)

    (total, _), found, judged = await rebuilt.read(counted)
    assert (total.made, len(found), len(judged)) == (2, 1, 3)
    await eventually(same, what="the same of desks in both stores")
