"""Who is not to be contacted, and why a customer was or was not."""

from uuid import UUID

from services.campaign.api.access import ServiceSettings, SuppressionReader, Suppressor
from services.campaign.queries.decisions import contact_decisions
from services.campaign.queries.suppressions import list_suppressions as read_suppressions
from services.campaign.usecases.suppressions import suppress
from shared.contracts.base import Page
from shared.contracts.campaign import ContactDecisions, SuppressionView, SuppressionWrite
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["suppressions"])


@router.post("/suppressions", status_code=201, summary="Suppress a customer")
async def create_suppression(
    session: Session, principal: Suppressor, body: SuppressionWrite
) -> SuppressionView:
    """At once: open contacts of the customer expire, and no launch contacts them."""
    return await suppress(session, principal, body)


@router.get("/suppressions", summary="List suppressions", responses=problem_responses(400))
async def list_suppressions(
    session: Session, principal: SuppressionReader, page: PageParams, customer_id: UUID | None = None
) -> Page[SuppressionView]:
    """Newest first; of the customers of your organisation."""
    return await read_suppressions(session, page, customer_id)


@router.get(
    "/customers/{customer_id}/contact-decisions",
    summary="Explain contacts of a customer",
    responses=problem_responses(404),
)
async def get_contact_decisions(
    session: Session, principal: SuppressionReader, settings: ServiceSettings, customer_id: UUID
) -> ContactDecisions:
    """Every campaign's decision with its evidence, and each rule applied to the facts of now."""
    return await contact_decisions(session, settings, customer_id)
