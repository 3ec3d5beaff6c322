"""The worker's endless task: evaluate soon after facts arrived, and when time alone has changed something."""

import asyncio
import contextlib
import time

import structlog
from sqlalchemy import exists, select

from services.segmentation.models import UnseenChange
from services.segmentation.settings import SegmentationSettings
from services.segmentation.usecases.engine import Engine
from services.segmentation.usecases.evaluation import backfill, evaluate
from services.segmentation.usecases.feed import CustomerFeed
from shared import clock
from shared.service import Runtime

logger = structlog.get_logger()


async def keep_evaluated(runtime: Runtime) -> None:
    """A pass for the facts of a moment; without any, at every tick a look whether somebody is due."""
    settings = runtime.settings
    if not isinstance(settings, SegmentationSettings):
        raise TypeError(f"not the settings of this service: {type(settings)}")
    feed = runtime.resource(CustomerFeed)
    filling: asyncio.Task[None] | None = None
    looked = -settings.evaluate_every_seconds
    try:
        while True:
            late = time.monotonic() - looked >= settings.evaluate_every_seconds
            if late or feed.changed.is_set() or await _is_due(runtime):
                looked = time.monotonic()
                feed.changed.clear()
                done = await evaluate(runtime)
                if done.again:
                    # Somebody else evaluates or audits just now: what was told still waits.
                    feed.changed.set()
                if done.changed:
                    logger.info("segments_evaluated", changed=done.changed, customers=done.touched)
                if done.waiting and (filling is None or filling.done()):
                    filling = asyncio.create_task(_fill(runtime), name="evaluate for everybody")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.tick_seconds):
                    await feed.changed.wait()
            await asyncio.sleep(looked + settings.evaluate_after_seconds - time.monotonic())
    finally:
        if filling is not None:
            filling.cancel()
            await asyncio.wait([filling])


async def _is_due(runtime: Runtime) -> bool:
    if not runtime.resource(Engine).quiet(clock.now()):
        return True
    async with runtime.db.transaction() as session:
        return bool(await session.scalar(select(exists().where(UnseenChange.id > 0))))


async def _fill(runtime: Runtime) -> None:
    try:
        done = await backfill(runtime)
        logger.info("segments_backfilled", segments=done.segments, changed=done.changed)
    except Exception:
        logger.exception("backfill_failed")
