"""A store made anew from the streams holds what the first one holds."""

import asyncio
from dataclasses import astuple
from pathlib import Path

import duckdb
import pytest

from services.evaluation.domain.catalogue import BUILT_IN
from services.evaluation.store import Store, StoreFeed, open_store
from services.evaluation.store.outcomes import Question, cell_moments
from shared import clock
from shared.auth import Role
from tests.evaluation.bank import Campaign
from tests.evaluation.test_loop import run
from tests.support import Running, eventually


async def test_a_store_rebuilt_from_the_streams_holds_the_same_outcomes(
    evaluation: Running, tmp_path: Path
) -> None:
    campaign = Campaign(effect=500, treated=300, held_out=200)
    async with evaluation.client(Role.strategist) as strategist:
        await run(evaluation, strategist, campaign)
    rebuilt = open_store(tmp_path / "rebuilt.duckdb", memory="512MB", threads=2)
    feeds = [
        asyncio.create_task(
            evaluation.runtime.bus.feed(
                "rebuild",
                feed.stream,
                [f"{event.SUBJECT}.>" for event in feed.events],
                StoreFeed(rebuilt),
            )
        )
        for feed in evaluation.runtime.service.feeds
    ]
    goals = {
        stream: await evaluation.runtime.bus.last_sequence(stream) for stream in ("CUSTOMER", "CAMPAIGN")
    }

    async def caught_up() -> bool:
        return all(rebuilt.watermark(stream) >= goal for stream, goal in goals.items())

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
    finally:
        for feed in feeds:
            feed.cancel()
        await asyncio.gather(*feeds, return_exceptions=True)
        rebuilt.close()
