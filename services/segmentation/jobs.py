"""Background jobs of the segmentation service."""

from typing import Any
from uuid import UUID

from services.segmentation.usecases import churn_warnings, tier_lists
from services.segmentation.usecases.evaluation import backfill
from services.segmentation.usecases.segments import REFRESH
from services.segmentation.usecases.training.running import REPRODUCE, RUN, reproduce_run, run_model
from shared.jobs import JobRun
from shared.service import Task


async def refresh_segments(job: JobRun) -> dict[str, Any]:
    """Evaluates for everybody the segments named, and all that wait for it."""
    await job.progress(0.1, "evaluating")
    done = await backfill(job.runtime, [UUID(each) for each in job.args["segments"]])
    return {"segments": done.segments, "changed": done.changed, "skipped": done.skipped}


async def run_and_warn(job: JobRun) -> dict[str, Any]:
    """Trains a model; a churn model then warns of those it lists."""
    result = await run_model(job)
    return result | await churn_warnings.warn_after(job, UUID(result["run_id"]))


TASKS: dict[str, Task] = {
    REFRESH: refresh_segments,
    RUN: run_and_warn,
    churn_warnings.RAISE: churn_warnings.raise_requested,
    REPRODUCE: reproduce_run,
    tier_lists.PROPOSE: tier_lists.propose,
    tier_lists.SETTLE: tier_lists.settle,
}
