"""Forgetting a person, and what the law keeps from being forgotten."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from sqlalchemy import select

from services.customer.api.access import (
    CodePath,
    ErasureConfirm,
    ErasureRead,
    RegistryRead,
    RetentionWrite,
    SubjectRights,
    optional_version,
)
from services.customer.api.customers import CustomerId, VaultOfProcess
from services.customer.models import RetentionRule
from services.customer.queries import erasures as queries
from services.customer.queries.erasures import erasure_view, rule_view
from services.customer.usecases import erasures as usecases
from services.customer.usecases.retention_rules import put_rule
from shared.audit import audit
from shared.contracts.base import Page
from shared.contracts.customer.erasure import (
    ErasurePlan,
    ErasureRequest,
    ErasureState,
    ErasureView,
    RetentionRuleView,
    RetentionRuleWrite,
)
from shared.errors import NotFound
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, set_etag

router = Router(tags=["rights of the person"])

ErasureId = Annotated[UUID, Path(description="Id of the erasure")]


@router.post(
    "/customers/{customer_id}:erase",
    status_code=201,
    response_model=ErasureView,
    responses={
        200: {"model": ErasurePlan, "description": "Dry run: what would go and what stands against it"},
        **problem_responses(404, 409),
    },
)
async def erase_customer(
    session: Session,
    principal: SubjectRights,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    body: ErasureRequest,
) -> Response:
    """Ask for a person to be forgotten: the file and all files merged into it.

    Nothing is destroyed before somebody else confirms. 409 while accounts have a balance, a complaint is
    open or a retention rule holds.
    """
    if body.dry_run:
        plan = await usecases.plan_erasure(session, customer_id)
        return Response(plan.model_dump_json(), media_type="application/json")
    erasure = await usecases.request_erasure(session, principal, vault, customer_id, body)
    view = await erasure_view(session, erasure.id)
    headers = {"Location": f"/v1/erasures/{erasure.id}"}
    return Response(view.model_dump_json(), 201, headers, "application/json")


@router.post("/erasures/{erasure_id}:confirm", responses=problem_responses(404, 409))
async def confirm_erasure(
    session: Session, principal: ErasureConfirm, vault: VaultOfProcess, erasure_id: ErasureId
) -> ErasureView:
    """Destroy the person's key and everything that names the person; cannot be taken back.

    The answer is the receipt; the other services confirm one by one.
    """
    await usecases.confirm_erasure(session, principal, vault, erasure_id)
    return await erasure_view(session, erasure_id)


@router.post("/erasures/{erasure_id}:withdraw", responses=problem_responses(404, 409))
async def withdraw_erasure(session: Session, principal: ErasureConfirm, erasure_id: ErasureId) -> ErasureView:
    """Take a request back that nobody has confirmed."""
    await usecases.withdraw_erasure(session, principal, erasure_id)
    return await erasure_view(session, erasure_id)


@router.get("/erasures", responses=problem_responses(400))
async def list_erasures(
    session: Session,
    principal: ErasureRead,
    page: PageParams,
    state: Annotated[ErasureState | None, Query(description="`requested`: waiting for confirmation")] = None,
) -> Page[ErasureView]:
    """Requests and receipts of your organisation, newest first."""
    return await queries.list_erasures(session, state, page)


@router.get("/erasures/{erasure_id}", responses=problem_responses(404))
async def get_erasure(session: Session, principal: ErasureRead, erasure_id: ErasureId) -> ErasureView:
    """The request, and once erased the receipt: what went, by table, and which services have confirmed."""
    return await erasure_view(session, erasure_id)


@router.put("/retention-rules/{code}", responses=problem_responses(412, 428))
async def put_retention_rule(
    session: Session,
    principal: RetentionWrite,
    code: CodePath,
    body: RetentionRuleWrite,
    response: Response,
    expected: Annotated[int | None, Depends(optional_version)],
) -> RetentionRuleView:
    """How long closed accounts or events of a type must be kept; create, or replace with If-Match."""
    row = await put_rule(session, code, body, expected)
    audit(session, principal, "put", f"retention_rule/{code}", {"version": row.version})
    set_etag(response, row.version)
    return rule_view(row)


@router.get("/retention-rules/{code}", responses=problem_responses(404))
async def get_retention_rule(
    session: Session, principal: RegistryRead, code: CodePath, response: Response
) -> RetentionRuleView:
    """One rule."""
    row = await session.get(RetentionRule, code)
    if row is None:
        raise NotFound("There is no such rule")
    set_etag(response, row.version)
    return rule_view(row)


@router.get("/retention-rules", responses=problem_responses(400))
async def list_retention_rules(
    session: Session, principal: RegistryRead, page: PageParams
) -> Page[RetentionRuleView]:
    """All rules; only active ones hold anything."""
    return await paginate(
        session, select(RetentionRule), [RetentionRule.code], page, lambda row: rule_view(row[0])
    )
