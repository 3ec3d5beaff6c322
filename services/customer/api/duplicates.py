"""Customers that may be the same person: found, looked at, dismissed."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query, Response

from services.customer.api.access import CustomerRead, DuplicateFind, MergeWrite
from services.customer.domain.vault import Vault
from services.customer.queries import duplicates as queries
from services.customer.usecases import duplicates as usecases
from shared.contracts.base import JobView, OrgPath, Page, Share
from shared.contracts.customer.identity import DismissRequest, DuplicateView
from shared.jobs import location_of
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses, resource

router = Router(tags=["identity"])

DuplicateId = Annotated[UUID, Path(description="Id of the pair")]
VaultOfProcess = Annotated[Vault, resource(Vault)]


@router.get("/duplicates", responses=problem_responses(400))
async def list_duplicates(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    page: PageParams,
    state: Annotated[Literal["open", "dismissed"], Query(description="Undecided, or not the same")] = "open",
    min_score: Annotated[Share, Query(description="Only pairs at least as likely")] = 0.5,
    org: Annotated[OrgPath | None, Query(description="One of the two is of this unit or below")] = None,
    customer_id: Annotated[UUID | None, Query(description="Only pairs with this customer")] = None,
) -> Page[DuplicateView]:
    """Pairs of customers you see that may be one, the likeliest first.

    Each key both have agrees or disagrees with a weight; the weights and the prior of -6 add up to the
    logit of the score. Pairs with a customer of another organisation are not shown.
    """
    statement = queries.pairs(state=state, min_score=min_score, org=org, customer_id=customer_id)
    return await queries.list_pairs(session, vault, statement, page)


@router.post("/duplicates:find", status_code=202)
async def find_duplicates(session: Session, principal: DuplicateFind, response: Response) -> JobView:
    """Compare all customers of your organisation. New and changed ones are compared at once anyway."""
    job = await usecases.start_finding(session, principal)
    response.headers["Location"] = location_of(job)
    return job


@router.post("/duplicates/{duplicate_id}:dismiss", responses=problem_responses(404, 409))
async def dismiss_duplicate(
    session: Session,
    principal: MergeWrite,
    vault: VaultOfProcess,
    duplicate_id: DuplicateId,
    body: DismissRequest,
) -> DuplicateView:
    """They are not the same person: the pair does not come back, whatever is found later."""
    await usecases.dismiss(session, principal, vault, duplicate_id, body.reason)
    return await queries.pair_view(session, vault, duplicate_id)


@router.post("/duplicates/{duplicate_id}:reopen", responses=problem_responses(404, 409))
async def reopen_duplicate(
    session: Session, principal: MergeWrite, vault: VaultOfProcess, duplicate_id: DuplicateId
) -> DuplicateView:
    """Take a dismissal back."""
    await usecases.reopen(session, principal, duplicate_id)
    return await queries.pair_view(session, vault, duplicate_id)
