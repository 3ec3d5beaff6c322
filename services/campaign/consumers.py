"""Which event leads to which use case."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.usecases import readmodel
from shared.contracts.events import (
    CampaignEvaluated,
    CustomersChanged,
    EventData,
    RecommendationIssued,
    SegmentPublished,
    SegmentUpdated,
)
from shared.service import Handler, Runtime


async def on_customers_changed(session: AsyncSession, event: CustomersChanged, _runtime: Runtime) -> None:
    await readmodel.store_customers(session, event)


async def on_segment_published(session: AsyncSession, event: SegmentPublished, _runtime: Runtime) -> None:
    await readmodel.store_segment(session, event)


async def on_segment_updated(session: AsyncSession, event: SegmentUpdated, _runtime: Runtime) -> None:
    await readmodel.store_members(session, event)


async def on_campaign_evaluated(session: AsyncSession, event: CampaignEvaluated, _runtime: Runtime) -> None:
    await readmodel.store_evaluation(session, event)


async def on_recommendation_issued(
    session: AsyncSession, event: RecommendationIssued, _runtime: Runtime
) -> None:
    await readmodel.store_recommendation(session, event)


HANDLERS: Mapping[str, Mapping[type[EventData], Handler]] = {
    "campaign__customers": {CustomersChanged: on_customers_changed},
    "campaign__segments": {SegmentPublished: on_segment_published, SegmentUpdated: on_segment_updated},
    "campaign__reviews": {
        CampaignEvaluated: on_campaign_evaluated,
        RecommendationIssued: on_recommendation_issued,
    },
}
