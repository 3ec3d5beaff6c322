"""Value (contribution): the bank's models, their monthly runs, and who contributes what."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Path, Query, Response

from services.customer.api.access import (
    CodePath,
    CustomerRead,
    OrgCodePath,
    ValueModelChange,
    ValueModelRead,
    optional_version,
)
from services.customer.models import SupersededValue, ValueModelVersion
from services.customer.queries import value as queries
from services.customer.queries import value_rollups, value_runs
from services.customer.usecases import value_models as usecases
from shared.contracts.base import Code, OrgPath, Page
from shared.contracts.customer.value import (
    CustomerValueView,
    GroupValueView,
    OrgValueView,
    RankedCustomer,
    StaffValueView,
    SupersededFigures,
    ValueModelView,
    ValueModelWrite,
    ValueRunDiff,
    ValueRunView,
    ValueRunWrite,
)
from shared.contracts.customer.vocabulary import Month
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, set_etag

router = Router(tags=["value"])

CustomerId = Annotated[UUID, Path(description="Id of the customer")]
RunId = Annotated[UUID, Path(description="Id of the run")]
ModelCode = Annotated[Code, Query(description="By which model")]
Months = Annotated[int, Query(ge=1, le=36, description="How many calculated months, the latest ones")]


@router.put("/value-models/{code}", responses=problem_responses(412, 428))
async def put_value_model(
    session: Session,
    principal: ValueModelChange,
    code: CodePath,
    body: ValueModelWrite,
    response: Response,
    expected: Annotated[int | None, Depends(optional_version)],
) -> ValueModelView:
    """Create a model, or a new version of it (If-Match); head office only. Runs name their version."""
    row = await usecases.put_value_model(session, principal, code, body, expected)
    set_etag(response, row.version)
    return value_runs.version_view(row)


@router.get("/value-models/{code}", responses=problem_responses(404))
async def get_value_model(
    session: Session,
    principal: ValueModelRead,
    code: CodePath,
    response: Response,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="An older version")] = None,
) -> ValueModelView:
    """The present version of a model, or an older one."""
    view = await value_runs.model_view(session, code, version)
    set_etag(response, view.version)
    return view


@router.get("/value-models", responses=problem_responses(400))
async def list_value_models(
    session: Session, principal: ValueModelRead, page: PageParams
) -> Page[ValueModelView]:
    """The present versions, by code."""
    return await paginate(
        session,
        value_runs.present_models(),
        [ValueModelVersion.code],
        page,
        lambda row: value_runs.version_view(row[0]),
    )


@router.post("/value-models/{code}:run", status_code=202, responses=problem_responses(404, 409))
async def run_value_model(
    session: Session, principal: ValueModelChange, code: CodePath, body: ValueRunWrite, response: Response
) -> ValueRunView:
    """Calculate one month for all customers, as a job.

    A month that was calculated before needs a reason; its earlier run keeps its totals and the rows that
    changed. 422 names each currency the model has no rate for.
    """
    run = await usecases.start_value_run(session, principal, code, body)
    response.headers["Location"] = f"/v1/jobs/{run.job_id}"
    return await value_runs.run_view(session, run.id)


@router.get("/value-models/{code}/runs", responses=problem_responses(400, 404))
async def list_value_runs(
    session: Session,
    principal: ValueModelRead,
    code: CodePath,
    page: PageParams,
    month: Annotated[Month | None, Query()] = None,
) -> Page[ValueRunView]:
    """The model's runs, newest first, with the totals of your branches."""
    await queries.value_model(session, code)
    return await value_runs.run_page(session, code, month, page)


@router.get("/value-runs/{run_id}", responses=problem_responses(404))
async def get_value_run(session: Session, principal: ValueModelRead, run_id: RunId) -> ValueRunView:
    """One run; `totals` are those of your branches."""
    return await value_runs.run_view(session, run_id)


@router.get("/value-runs/{run_id}/difference", responses=problem_responses(404))
async def get_value_run_difference(
    session: Session,
    principal: ValueModelRead,
    run_id: RunId,
    against: Annotated[UUID | None, Query(description="Another run; else the one it replaced")] = None,
) -> ValueRunDiff:
    """What a run changed, branch by branch."""
    return await value_runs.run_difference(session, run_id, against)


@router.get("/value-runs/{run_id}/superseded", responses=problem_responses(400, 404))
async def list_superseded_value(
    session: Session, principal: ValueModelRead, run_id: RunId, page: PageParams
) -> Page[SupersededFigures]:
    """Of a superseded run: the rows the run after it changed, lost or added, with the figures of then."""
    await value_runs.run_view(session, run_id)
    keys = [SupersededValue.customer_id, SupersededValue.product]
    return await paginate(
        session,
        value_runs.superseded_rows(run_id),
        keys,
        page,
        lambda row: value_runs.superseded_view(row[0]),
    )


@router.get("/value-ranking", responses=problem_responses(400, 404))
async def list_value_ranking(
    session: Session,
    principal: CustomerRead,
    page: PageParams,
    order: Annotated[Literal["top", "bottom"], Query(description="Best or worst first")] = "top",
    org: Annotated[OrgPath | None, Query(description="Of this unit and those below it")] = None,
    manager: Annotated[Code | None, Query(description="Whose primary manager this is")] = None,
    model: ModelCode = "default",
) -> Page[RankedCustomer]:
    """Your customers by contribution in the last calculated month."""
    await queries.value_model(session, model)
    runs = await queries.current_runs(session, model, 1)
    return await value_rollups.ranking(
        session, runs[0] if runs else None, page, order=order, org=org, manager=manager
    )


@router.get("/customers/{customer_id}/value", responses=problem_responses(404))
async def get_customer_value(
    session: Session,
    principal: CustomerRead,
    customer_id: CustomerId,
    months: Months = 12,
    model: ModelCode = "default",
) -> CustomerValueView:
    """Contribution by month and product, RAROC, place in the branch, and what peers suggest is possible."""
    return await queries.customer_value(session, customer_id, model, months)


@router.get("/customers/{customer_id}/value/group", responses=problem_responses(404))
async def get_group_value(
    session: Session,
    principal: CustomerRead,
    customer_id: CustomerId,
    months: Months = 12,
    model: ModelCode = "default",
) -> GroupValueView:
    """The customer and its subsidiaries, each once, as far as you see them."""
    return await queries.group_value(session, customer_id, model, months)


@router.get("/orgs/{code}/value", responses=problem_responses(404))
async def get_org_value(
    session: Session,
    principal: CustomerRead,
    code: OrgCodePath,
    months: Months = 1,
    model: ModelCode = "default",
) -> OrgValueView:
    """The unit's customers added up to the cent, by the branches and shares of today."""
    return await value_rollups.org_value(session, code, model, months)


@router.get("/staff/{code}/value", responses=problem_responses(404))
async def get_staff_value(
    session: Session,
    principal: CustomerRead,
    code: CodePath,
    months: Months = 1,
    model: ModelCode = "default",
) -> StaffValueView:
    """The customers of a primary manager added up to the cent, whole customers, not shares."""
    return await value_rollups.staff_value(session, code, model, months)
