"""Which event leads to which use case."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.usecases import (
    contributions,
    erasures,
    merges,
    outside_contacts,
    readmodel,
    takeovers,
    visits,
)
from shared.contracts.events import (
    CampaignEvaluated,
    CustomerErased,
    CustomersChanged,
    CustomersContacted,
    CustomersMerged,
    CustomersUnmerged,
    EventData,
    HandoverCompleted,
    OwnershipChanged,
    RecommendationIssued,
    SegmentPublished,
    SegmentUpdated,
    ValuesCalculated,
)
from shared.service import AnyHandler, InBatches, Runtime


async def on_customers_changed(session: AsyncSession, event: CustomersChanged, _runtime: Runtime) -> None:
    await readmodel.store_customers(session, event)


async def on_segment_published(session: AsyncSession, event: SegmentPublished, _runtime: Runtime) -> None:
    await readmodel.store_segment(session, event)


async def on_segments_updated(
    session: AsyncSession, events: Sequence[SegmentUpdated], _runtime: Runtime
) -> None:
    await readmodel.store_members(session, *events)


async def on_campaign_evaluated(session: AsyncSession, event: CampaignEvaluated, _runtime: Runtime) -> None:
    await readmodel.store_evaluation(session, event)


async def on_recommendation_issued(
    session: AsyncSession, event: RecommendationIssued, _runtime: Runtime
) -> None:
    await readmodel.store_recommendation(session, event)


async def on_customers_merged(session: AsyncSession, event: CustomersMerged, _runtime: Runtime) -> None:
    await merges.merge(session, event)
    await visits.follow_merge(session, event)


async def on_customers_unmerged(session: AsyncSession, event: CustomersUnmerged, _runtime: Runtime) -> None:
    await merges.unmerge(session, event)


async def on_customer_erased(session: AsyncSession, event: CustomerErased, _runtime: Runtime) -> None:
    await erasures.forget(session, event)


async def on_ownership_changed(session: AsyncSession, event: OwnershipChanged, _runtime: Runtime) -> None:
    await takeovers.follow_owners(session, event)


async def on_handover_completed(session: AsyncSession, event: HandoverCompleted, _runtime: Runtime) -> None:
    await takeovers.complete_handover(session, event)


async def on_values_calculated(session: AsyncSession, event: ValuesCalculated, _runtime: Runtime) -> None:
    await contributions.store_contributions(session, event)


async def on_customers_contacted(session: AsyncSession, event: CustomersContacted, _runtime: Runtime) -> None:
    await outside_contacts.store_outside_contacts(session, event)


HANDLERS: Mapping[str, Mapping[type[EventData], AnyHandler]] = {
    "campaign__customers": {CustomersChanged: on_customers_changed},
    "campaign__customer_file": {
        CustomersMerged: on_customers_merged,
        CustomersUnmerged: on_customers_unmerged,
        CustomerErased: on_customer_erased,
        OwnershipChanged: on_ownership_changed,
        HandoverCompleted: on_handover_completed,
    },
    "campaign__interactions": {CustomersContacted: on_customers_contacted},
    "campaign__values": {ValuesCalculated: on_values_calculated},
    "campaign__segments": {
        SegmentPublished: on_segment_published,
        SegmentUpdated: InBatches(on_segments_updated),
    },
    "campaign__reviews": {
        CampaignEvaluated: on_campaign_evaluated,
        RecommendationIssued: on_recommendation_issued,
    },
}
