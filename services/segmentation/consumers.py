"""What the segmentation service consumes: customers and campaigns into its feature store, erasures into its
database as well, so that they are carried out and confirmed whatever becomes of the store.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.usecases import campaign_feed
from services.segmentation.usecases.campaign_feed import CampaignFeed
from services.segmentation.usecases.churn_warnings import follow_merges, follow_owners
from services.segmentation.usecases.erasures import note_erasure
from services.segmentation.usecases.feed import EVENTS, STREAM, CustomerFeed
from shared.contracts.events import (
    CustomerErased,
    CustomersMerged,
    CustomersUnmerged,
    EventData,
    OwnershipChanged,
)
from shared.service import Feed, Handler, Runtime


async def on_customer_erased(session: AsyncSession, event: CustomerErased, _runtime: Runtime) -> None:
    await note_erasure(session, event)


async def on_ownership_changed(session: AsyncSession, event: OwnershipChanged, _runtime: Runtime) -> None:
    await follow_owners(session, event)


async def on_regrouped(
    session: AsyncSession, event: CustomersMerged | CustomersUnmerged, _runtime: Runtime
) -> None:
    await follow_merges(session, event)


HANDLERS: dict[str, dict[type[EventData], Handler]] = {
    "segmentation__erasures": {CustomerErased: on_customer_erased},
    "segmentation__warnings": {
        OwnershipChanged: on_ownership_changed,
        CustomersMerged: on_regrouped,
        CustomersUnmerged: on_regrouped,
    },
}
FEEDS = (
    Feed("segmentation", STREAM, EVENTS, lambda runtime: runtime.resource(CustomerFeed)),
    Feed(
        "segmentation",
        campaign_feed.STREAM,
        campaign_feed.EVENTS,
        lambda runtime: runtime.resource(CampaignFeed),
    ),
)


async def filled(runtime: Runtime) -> None:
    """The feature store knows all that the streams have forgotten."""
    await runtime.resource(CampaignFeed).wait_begun()
