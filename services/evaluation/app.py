"""Wiring of the evaluation service."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from services.evaluation.api import boards, campaigns, metrics, recommendations, review
from services.evaluation.consumers import HANDLERS
from services.evaluation.jobs import TASKS, confirm_erasures, evaluate_when_due, settings_of
from services.evaluation.settings import EvaluationSettings
from services.evaluation.store import DeskFeed, Store, StoreFeed, open_store
from shared.contracts.events import (
    ContactRecorded,
    ContactsAssigned,
    CustomerErased,
    CustomerEventsRecorded,
    CustomersMerged,
    CustomersUnmerged,
    FeedbackGiven,
    OpportunityMoved,
    ReferralAnswered,
    ReferralMade,
)
from shared.service import Feed, Runtime, Service
from shared.web import create_app

CUSTOMER_EVENTS = (CustomerEventsRecorded, CustomersMerged, CustomersUnmerged, CustomerErased)
DESK_EVENTS = (ReferralMade, ReferralAnswered, OpportunityMoved, FeedbackGiven)


@asynccontextmanager
async def resources(runtime: Runtime) -> AsyncIterator[Mapping[type, object]]:
    settings = settings_of(runtime)
    file = settings.data_dir / settings.store_file
    store = open_store(file, memory=settings.store_memory, threads=settings.store_threads)
    try:
        desks = DeskFeed(store)
        if not desks.begun("CAMPAIGN"):
            desks.begin("CAMPAIGN", await runtime.bus.forgotten("CAMPAIGN", 0))
        yield {Store: store, StoreFeed: StoreFeed(store), DeskFeed: desks}
    finally:
        store.close()


def _target(runtime: Runtime) -> StoreFeed:
    return runtime.resource(StoreFeed)


def _desks(runtime: Runtime) -> DeskFeed:
    return runtime.resource(DeskFeed)


service = Service(
    name="evaluation",
    title="Huanying evaluation",
    description="What campaigns changed, against their hold-out, and what to do next.",
    settings=EvaluationSettings,
    routers=[metrics.router, campaigns.router, recommendations.router, review.router, boards.router],
    handlers=HANDLERS,
    tasks=TASKS,
    resources=resources,
    feeds=[
        Feed("evaluation", "CUSTOMER", CUSTOMER_EVENTS, _target),
        Feed("evaluation", "CAMPAIGN", [ContactsAssigned, ContactRecorded], _target),
        Feed("evaluation-desks", "CAMPAIGN", DESK_EVENTS, _desks),
    ],
    background=[evaluate_when_due, confirm_erasures],
)
app = create_app(service)
