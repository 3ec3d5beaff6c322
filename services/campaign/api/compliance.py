"""Words that may not be said."""

from typing import Annotated

from fastapi import Query

from services.campaign.api.access import BankApprover, Reader
from services.campaign.queries import compliance as queries
from services.campaign.usecases.wording import create_compliance_list as create
from shared import clock
from shared.contracts.base import Page
from shared.contracts.campaign.compliance import (
    ComplianceListChange,
    ComplianceListView,
    ComplianceListWrite,
    Finding,
    WordingKind,
)
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["compliance"])


@router.post("/compliance-lists", status_code=201, summary="Write a compliance list's next version")
async def create_compliance_list(
    session: Session, principal: BankApprover, body: ComplianceListWrite
) -> ComplianceListChange:
    """In force from its day until its next version's. `affected` names what is approved and says its words:
    it stays approved until somebody retires it.
    """
    return await create(session, principal, body)


@router.get("/compliance-lists", summary="List compliance lists", responses=problem_responses(400))
async def list_compliance_lists(
    session: Session, principal: Reader, page: PageParams
) -> Page[ComplianceListView]:
    """All versions, in the order of keys and versions."""
    return await queries.list_lists(session, page)


@router.get("/compliance-findings", summary="Check what is approved", responses=problem_responses(400))
async def list_compliance_findings(
    session: Session,
    principal: Reader,
    page: PageParams,
    kind: Annotated[WordingKind, Query(description="Scripts or materials")] = "script",
) -> Page[Finding]:
    """Approved versions that say words of the lists in force today. A page covers `limit` versions and holds
    those of them with findings, perhaps none.
    """
    return await queries.list_findings(session, page, kind, clock.today())
