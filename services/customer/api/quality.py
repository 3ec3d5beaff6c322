"""Data quality: the rules, what they say of a customer, of a branch, of a manager, and what to mend first."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Path, Query, Response

from services.customer.api.access import (
    CodePath,
    CustomerRead,
    QualityRuleChange,
    QualityRun,
    RegistryRead,
    optional_version,
)
from services.customer.domain.vault import Vault
from services.customer.models import QualityRule
from services.customer.queries import quality as queries
from services.customer.queries import quality_rules
from services.customer.queries.value import current_runs
from services.customer.usecases import quality_rules as usecases
from shared.contracts.base import Code, JobView, OrgPath, Page
from shared.contracts.customer.quality import (
    CustomerQuality,
    QualityRuleView,
    QualityRuleWrite,
    QualitySummary,
    WorklistItem,
)
from shared.jobs import location_of
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, resource, set_etag

router = Router(tags=["quality"])

CustomerId = Annotated[UUID, Path(description="Id of the customer")]
Org = Annotated[OrgPath | None, Query(description="Of this unit and those below it")]
Manager = Annotated[Code | None, Query(description="Whose primary manager this is")]


@router.put("/quality/rules/{code}", responses=problem_responses(412, 428))
async def put_quality_rule(
    session: Session,
    principal: QualityRuleChange,
    code: CodePath,
    body: QualityRuleWrite,
    response: Response,
    expected: Annotated[int | None, Depends(optional_version)],
) -> QualityRuleView:
    """Create a rule, or replace it (If-Match); head office only. All files are judged anew soon after."""
    row = await usecases.put_rule(session, principal, code, body, expected)
    set_etag(response, row.version)
    return quality_rules.rule_view(row)


@router.get("/quality/rules/{code}", responses=problem_responses(404))
async def get_quality_rule(
    session: Session, principal: RegistryRead, code: CodePath, response: Response
) -> QualityRuleView:
    """One rule."""
    view = await quality_rules.rule(session, code)
    set_etag(response, view.version)
    return view


@router.get("/quality/rules", responses=problem_responses(400))
async def list_quality_rules(
    session: Session, principal: RegistryRead, page: PageParams
) -> Page[QualityRuleView]:
    """All rules, by code."""
    return await paginate(
        session,
        quality_rules.all_rules(),
        [QualityRule.code],
        page,
        lambda row: quality_rules.rule_view(row[0]),
    )


@router.get("/customers/{customer_id}/quality", responses=problem_responses(404))
async def get_customer_quality(
    session: Session,
    principal: CustomerRead,
    vault: Annotated[Vault, resource(Vault)],
    customer_id: CustomerId,
) -> CustomerQuality:
    """Scores of the file as it is now, the rules it does not meet, and what to do about each."""
    return await queries.customer_quality(session, vault, customer_id)


@router.get("/quality/summary")
async def get_quality_summary(
    session: Session,
    principal: CustomerRead,
    by: Annotated[
        Literal["org", "manager"], Query(description="Units right below, or primary managers")
    ] = "org",
    org: Org = None,
    manager: Manager = None,
) -> QualitySummary:
    """Average scores of your customers, by unit or manager, with the last 90 days."""
    return await queries.summary(session, by, org, manager)


@router.get("/quality/worklist", responses=problem_responses(400))
async def list_quality_worklist(
    session: Session,
    principal: CustomerRead,
    page: PageParams,
    org: Org = None,
    manager: Manager = None,
    rule: Annotated[Code | None, Query(description="That do not meet this rule")] = None,
    model: Annotated[Code, Query(description="Model that tells what a customer is worth")] = "default",
) -> Page[WorklistItem]:
    """Customers whose files want work: the worst of the most valuable first, with what to do."""
    runs = await current_runs(session, model, 1)
    run_id = runs[0].id if runs else None
    return await queries.worklist(session, page, org=org, manager=manager, rule=rule, run_id=run_id)


@router.post("/quality:run", status_code=202)
async def run_quality(session: Session, principal: QualityRun, response: Response) -> JobView:
    """Judge every customer of your organisation now, as a job, and take down the day for the trend."""
    job = await usecases.start_quality_run(session, principal)
    response.headers["Location"] = location_of(job)
    return job
