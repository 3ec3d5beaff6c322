"""Wiring of the evaluation service."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from services.evaluation.api import (
    analyses,
    boards,
    breakdowns,
    campaigns,
    experiments,
    metrics,
    recommendations,
    reports,
    response_models,
    review,
    sample_size,
    scorecards,
    series,
    service_quality,
)
from services.evaluation.consumers import HANDLERS
from services.evaluation.jobs import TASKS, confirm_erasures, evaluate_when_due, know_balances, settings_of
from services.evaluation.queries.analysis_desk import TableDesk
from services.evaluation.settings import EvaluationSettings
from services.evaluation.store import DeskFeed, Store, StoreFeed, TierFeed, open_store
from services.evaluation.store.backfill import HOLDINGS
from services.evaluation.store.own_feed import OwnFeed
from shared.contracts.events import (
    ContactRecorded,
    ContactsAssigned,
    CustomerErased,
    CustomerEventsRecorded,
    CustomersMerged,
    CustomersUnmerged,
    HoldingsChanged,
)
from shared.service import Feed, Runtime, Service
from shared.web import create_app

CUSTOMER_EVENTS = (
    CustomerEventsRecorded,
    HoldingsChanged,
    CustomersMerged,
    CustomersUnmerged,
    CustomerErased,
)
OWN_FEEDS: dict[type[OwnFeed], str] = {
    DeskFeed: "CAMPAIGN",
    TierFeed: "SEGMENTATION",
}
"""Feeds with a watermark of their own, and the streams they follow."""


@asynccontextmanager
async def resources(runtime: Runtime) -> AsyncIterator[Mapping[type, object]]:
    settings = settings_of(runtime)
    file = settings.data_dir / settings.store_file
    store = open_store(file, memory=settings.store_memory, threads=settings.store_threads)
    try:
        if not store.has_begun("CUSTOMER") and not await runtime.bus.forgotten("CUSTOMER", 0):
            # The stream tells this store of every balance.
            store.begin(HOLDINGS, 1)
        own: dict[type, object] = {}
        for kind, stream in OWN_FEEDS.items():
            feed = kind(store)
            if not feed.begun(stream):
                feed.begin(stream, await runtime.bus.forgotten(stream, 0))
            own[kind] = feed
        yield {Store: store, StoreFeed: StoreFeed(store), TableDesk: TableDesk(settings), **own}
    finally:
        store.close()


def _target(runtime: Runtime) -> StoreFeed:
    return runtime.resource(StoreFeed)


def _desks(runtime: Runtime) -> DeskFeed:
    return runtime.resource(DeskFeed)


def _tiers(runtime: Runtime) -> TierFeed:
    return runtime.resource(TierFeed)


service = Service(
    name="evaluation",
    title="Huanying evaluation",
    description="What campaigns changed, against their hold-out, and what to do next.",
    settings=EvaluationSettings,
    routers=[
        metrics.router,
        analyses.router,
        experiments.router,
        sample_size.router,
        campaigns.router,
        breakdowns.router,
        series.router,
        recommendations.router,
        response_models.router,
        review.router,
        boards.router,
        scorecards.router,
        service_quality.router,
        reports.router,
    ],
    handlers=HANDLERS,
    tasks=TASKS,
    resources=resources,
    feeds=[
        Feed("evaluation", "CUSTOMER", CUSTOMER_EVENTS, _target),
        Feed("evaluation", "CAMPAIGN", [ContactsAssigned, ContactRecorded], _target),
        Feed("evaluation-desks", "CAMPAIGN", DeskFeed.KINDS, _desks),
        Feed("evaluation-tiers", "SEGMENTATION", TierFeed.KINDS, _tiers),
    ],
    background=[evaluate_when_due, confirm_erasures, know_balances],
)
app = create_app(service)
