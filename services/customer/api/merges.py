"""Merging customers, the ledger of merges, and taking one back."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from services.customer.api.access import CustomerRead, MergeWrite
from services.customer.domain.vault import Vault
from services.customer.models import Merge
from services.customer.queries import merges as queries
from services.customer.usecases import merging, unmerging
from shared.contracts.base import Page
from shared.contracts.customer.identity import (
    MergeRequest,
    MergeResult,
    MergeSummary,
    MergeView,
    UndoRequest,
    UndoResult,
)
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, resource

router = Router(tags=["identity"])

MergeId = Annotated[UUID, Path(description="Id of the merge")]
VaultOfProcess = Annotated[Vault, resource(Vault)]


@router.post("/customers:merge", responses=problem_responses(404, 409))
async def merge_customers(
    session: Session, principal: MergeWrite, vault: VaultOfProcess, body: MergeRequest
) -> MergeResult:
    """Merge customers into a survivor, or with `dry_run` say what that would do.

    The survivor's attributes follow a rule each; the answer names rule and origin, personal values masked.
    Events, balances, consents and relations stay with the customer they were recorded for and are read with
    the survivor. The merged follow the survivor's branch and managers. Different identity numbers need an
    override; erased or already merged customers, or persons with companies, are refused with 409. Any number
    may be merged: 5,000 in one call.
    """
    return await merging.merge_customers(session, principal, vault, body)


@router.get("/merges", responses=problem_responses(400))
async def list_merges(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    page: PageParams,
    customer_id: Annotated[UUID | None, Query(description="As survivor or merged")] = None,
    undone: Annotated[bool | None, Query(description="Only those undone, or only those in force")] = None,
) -> Page[MergeSummary]:
    """Merges of your organisation, the latest first."""
    statement = queries.merges(customer_id=customer_id, undone=undone)
    return await paginate(
        session, statement, [Merge.id], page, lambda row: queries.summary(vault, row), descending=True
    )


@router.get("/merges/{merge_id}", responses=problem_responses(404))
async def get_merge(
    session: Session, principal: CustomerRead, vault: VaultOfProcess, merge_id: MergeId
) -> MergeView:
    """One merge: who was merged, by which rules, and which later merges must be undone before it."""
    return await queries.merge_view(session, vault, merge_id)


@router.post("/merges/{merge_id}:undo", responses=problem_responses(404, 409))
async def undo_merge(
    session: Session, principal: MergeWrite, vault: VaultOfProcess, merge_id: MergeId, body: UndoRequest
) -> UndoResult:
    """Separate what the merge joined.

    Each customer is again what it was, with everything recorded for it since. Attributes of the survivor
    that were changed after the merge stay. While later merges build on this one the answer is 409 and names
    them in the order to undo them.
    """
    return await unmerging.undo_merge(session, principal, vault, merge_id, body.reason)
