"""The working half of a service: relay, consumers, jobs, feeds; supervised and drained on stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from shared.consuming import consumer
from shared.jobs import run_jobs
from shared.logging import configure_logging
from shared.relay import Relay
from shared.service import Runtime, Service
from shared.webhooks.deliverer import Deliverer

logger = structlog.get_logger()

_RESTART_SECONDS = 2.0
_AGAIN_SECONDS = 2.0
_JOBS_SECONDS = 12.0
_JOBS = "jobs"


@asynccontextmanager
async def running(service: Service, *, feeds: bool, worker: bool) -> AsyncIterator[Runtime]:
    """A process of `service`: connected, resources open, its endless tasks running until the block ends."""
    runtime = Runtime(service, service.settings())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runtime.close)
        await runtime.bus.connect()
        if service.resources is not None:
            runtime.resources |= await stack.enter_async_context(service.resources(runtime))
        tasks = _feed_tasks(runtime) if feeds else {}
        if worker:
            tasks |= _worker_tasks(runtime)
        running_tasks = [asyncio.create_task(_endless(name, run), name=name) for name, run in tasks.items()]
        try:
            yield runtime
        finally:
            await asyncio.gather(*(_stop(task) for task in running_tasks))


def _feed_tasks(runtime: Runtime) -> dict[str, Callable[[], Awaitable[None]]]:
    def follow(index: int) -> Callable[[], Awaitable[None]]:
        feed = runtime.service.feeds[index]
        subjects = [f"{event.SUBJECT}.>" for event in feed.events]

        return lambda: runtime.bus.feed(feed.name, feed.stream, subjects, feed.target(runtime))

    return {
        f"feed {feed.name} {feed.stream}": _once_filled(follow(i), runtime)
        for i, feed in enumerate(runtime.service.feeds)
    }


def _worker_tasks(runtime: Runtime) -> dict[str, Callable[[], Awaitable[None]]]:
    tasks: dict[str, Callable[[], Awaitable[None]]] = {
        "relay": Relay(runtime.db.conninfo, runtime.bus, runtime.service.keeps).run,
        _JOBS: _once_filled(lambda: run_jobs(runtime), runtime),
    }
    for durable in runtime.service.handlers:
        tasks[f"consumer {durable}"] = consumer(runtime, durable)
    tasks |= Deliverer(runtime).tasks()
    for number, work in enumerate(runtime.service.background):
        tasks[f"background {number}"] = _once_filled(_bound(work, runtime), runtime)
    return tasks


def _bound(work: Callable[[Runtime], Awaitable[None]], runtime: Runtime) -> Callable[[], Awaitable[None]]:
    return lambda: work(runtime)


def _once_filled(work: Callable[[], Awaitable[None]], runtime: Runtime) -> Callable[[], Awaitable[None]]:
    """`work`, when this process's store is."""

    async def run() -> None:
        if runtime.service.filled is not None:
            await runtime.service.filled(runtime)
        await work()

    return run


async def _endless(name: str, run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except Exception:
            logger.exception("task_failed", task=name)
        await asyncio.sleep(_RESTART_SECONDS)


async def _stop(task: asyncio.Task[None]) -> None:
    """Cancel and wait. Again after a while: on Python 3.11 `asyncio.wait_for`, which libraries use, loses a
    cancellation that arrives in the moment its awaitable is done. Jobs have the time `run_jobs` gives them.
    """
    patience = _JOBS_SECONDS if task.get_name() == _JOBS else _AGAIN_SECONDS
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=patience)


def create_worker_app(service: Service) -> FastAPI:
    """The worker as an ASGI application that answers for its health and metrics, and nothing else."""
    # Imported here: these routes are made with shared.web, which imports this module.
    from shared.system_routes import health

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logging(service.name, service.settings().log_level)
        async with running(service, feeds=True, worker=True) as runtime:
            app.state.runtime = runtime
            logger.info("worker_running", service=service.name)
            yield
        logger.info("worker_stopped", service=service.name)

    app = FastAPI(title=f"{service.title}: worker", lifespan=lifespan, openapi_url=None)
    app.state.service = service
    app.include_router(health)
    return app


def run_worker(service: Service) -> None:
    """Body of `python -m services.<name>.worker`."""
    settings = service.settings()
    uvicorn.run(
        create_worker_app(service),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
    )
