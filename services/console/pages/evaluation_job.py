"""A job of the evaluation service, shown until it ends."""

import asyncio
from collections.abc import Awaitable, Callable

from nicegui import ui

from services.console.api import segment
from services.console.formats import percent
from services.console.view import View
from shared.contracts.base import JobView

_POLL_SECONDS = 0.7


async def run_job(
    view: View, path: str, words: str, button: ui.button, then: Callable[[], Awaitable[None]]
) -> None:
    """Asks for the job at `path`; then, whatever became of it, `then`. `words` are what the keys of its
    texts begin with: running, done, failed.
    """
    job = await view.attempt(view.api.post("evaluation", path, JobView))
    if job is None:
        return
    button.disable()
    ended = await view.attempt(_follow(view, job, words))
    button.enable()
    if ended is not None:
        await then()


async def _follow(view: View, job: JobView, words: str) -> JobView:
    t = view.t
    notice = ui.notification(t(f"{words}running"), spinner=True, timeout=None)
    try:
        while job.state in {"queued", "running"}:
            await asyncio.sleep(_POLL_SECONDS)
            job = await view.api.get("evaluation", f"/v1/jobs/{segment(job.id)}", JobView)
            notice.message = f"{t(f'{words}running')} {percent(job.progress, 0)}"
    finally:
        notice.dismiss()
    if job.state == "succeeded":
        view.done(t(f"{words}done"))
    else:
        detail = job.problem.detail if job.problem else ""
        ui.notify(f"{t(f'{words}failed')} {detail}", type="negative", multi_line=True, timeout=9000)
    return job
