"""One customer as this service sees it."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from services.segmentation.api.access import FeatureStore, Reader
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.queries.customer_insight import customer_insight, stage_of
from services.segmentation.queries.features import load_catalogue
from services.segmentation.store.scope import stands_for
from shared import clock
from shared.contracts.segmentation.customer_insight import CustomerInsight
from shared.errors import NotFound
from shared.web import Rest, Router, Session, problem_responses

router = Router(tags=["members"])


@router.get("/customers/{customer_id}/insight", responses=problem_responses(404))
async def get_customer_insight(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    customer_id: Annotated[UUID, Path(description="Id of the customer")],
    rest: Rest,
) -> CustomerInsight:
    """Life-cycle stage, tiers, churn warnings, GE positions and what models say, in one answer."""
    catalogue = await load_catalogue(session)
    moment = Moment(clock.now(), clock.ZONE)
    await rest()
    customer = await store.run(lambda cursor: stands_for(cursor, customer_id, principal.org))
    if customer is None:
        raise NotFound(f"There is no customer {customer_id} in your organisation.")
    stage = await store.run(lambda cursor: stage_of(cursor, customer.ordinal, moment, catalogue))
    return await customer_insight(session, customer, stage, moment.at)
