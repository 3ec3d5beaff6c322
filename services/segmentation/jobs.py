"""Background jobs of the segmentation service."""

import asyncio
from typing import Any
from uuid import UUID

from services.segmentation.usecases import tier_lists
from services.segmentation.usecases.evaluation import evaluate
from services.segmentation.usecases.segments import REFRESH
from services.segmentation.usecases.training.running import REPRODUCE, RUN, reproduce_run, run_model
from shared.jobs import JobRun
from shared.service import Task

_AGAIN_SECONDS = 0.25


async def refresh_segments(job: JobRun) -> dict[str, Any]:
    """Evaluates the live segments, and those named even if they are refreshed on demand only."""
    only = [UUID(each) for each in job.args["segments"]]
    while True:
        await job.progress(0.1, "evaluating")
        done = await evaluate(job.runtime, job.args["cause"], only)
        if not done.again:
            break
        await asyncio.sleep(_AGAIN_SECONDS)
    return {"segments": done.segments, "changed": done.changed, "skipped": done.skipped}


TASKS: dict[str, Task] = {
    REFRESH: refresh_segments,
    RUN: run_model,
    REPRODUCE: reproduce_run,
    tier_lists.PROPOSE: tier_lists.propose,
    tier_lists.SETTLE: tier_lists.settle,
}
