"""Wiring of the evaluation service."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from services.evaluation.api import boards, campaigns, metrics, recommendations
from services.evaluation.consumers import HANDLERS
from services.evaluation.jobs import TASKS, confirm_erasures, evaluate_when_due, settings_of
from services.evaluation.settings import EvaluationSettings
from services.evaluation.store import Store, StoreFeed, open_store
from shared.contracts.events import (
    ContactRecorded,
    ContactsAssigned,
    CustomerErased,
    CustomerEventsRecorded,
    CustomersMerged,
    CustomersUnmerged,
)
from shared.service import Feed, Runtime, Service
from shared.web import create_app

CUSTOMER_EVENTS = (CustomerEventsRecorded, CustomersMerged, CustomersUnmerged, CustomerErased)


@asynccontextmanager
async def resources(runtime: Runtime) -> AsyncIterator[Mapping[type, object]]:
    settings = settings_of(runtime)
    file = settings.data_dir / settings.store_file
    store = open_store(file, memory=settings.store_memory, threads=settings.store_threads)
    try:
        yield {Store: store, StoreFeed: StoreFeed(store)}
    finally:
        store.close()


def _target(runtime: Runtime) -> StoreFeed:
    return runtime.resource(StoreFeed)


service = Service(
    name="evaluation",
    title="Huanying evaluation",
    description="What campaigns changed, against their hold-out, and what to do next.",
    settings=EvaluationSettings,
    routers=[metrics.router, campaigns.router, recommendations.router, boards.router],
    handlers=HANDLERS,
    tasks=TASKS,
    resources=resources,
    feeds=[
        Feed("evaluation", "CUSTOMER", CUSTOMER_EVENTS, _target),
        Feed("evaluation", "CAMPAIGN", [ContactsAssigned, ContactRecorded], _target),
    ],
    background=[evaluate_when_due, confirm_erasures],
)
app = create_app(service)
