"""Models: declare, list, run."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from services.segmentation.api.access import BankStrategist, FeatureStore, Reader
from services.segmentation.models import Model, ModelRun
from services.segmentation.queries.models import (
    find_model,
    model_row,
    models_with_last_run,
    runs_of,
    show_model,
    show_run,
    show_runs,
)
from services.segmentation.queries.run_results import customer_scores
from services.segmentation.store import reading
from services.segmentation.usecases import models as usecase
from shared.contracts.base import Page
from shared.contracts.segmentation import ModelCreate, ModelKind, ModelRunView, ModelView
from shared.contracts.segmentation.models import CustomerScores
from shared.errors import NotFound
from shared.jobs import location_of
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses

router = Router(tags=["models"])

ModelId = Annotated[UUID, Path(description="Id of the model")]
CustomerId = Annotated[UUID, Path(description="Id of the customer")]


@router.post("/models", status_code=201, responses=problem_responses(409))
async def create_model(
    session: Session, principal: BankStrategist, body: ModelCreate, response: Response
) -> ModelView:
    """Declare a model; `POST /models/{id}/runs` trains it."""
    model = await usecase.create_model(session, principal, body)
    response.headers["Location"] = f"/v1/models/{model.id}"
    return await show_model(session, model)


@router.get("/models")
async def list_models(
    session: Session,
    principal: Reader,
    page: PageParams,
    kind: Annotated[ModelKind | None, Query(description="Only models of this kind")] = None,
) -> Page[ModelView]:
    """Models by key, each with its newest run."""
    statement = models_with_last_run()
    if kind is not None:
        statement = statement.where(Model.kind == kind)
    return await paginate(session, statement, [Model.key], page, model_row)


@router.get("/models/{model_id}", responses=problem_responses(404))
async def get_model(session: Session, principal: Reader, model_id: ModelId) -> ModelView:
    """One model: its parameters and its newest run."""
    return await show_model(session, await find_model(session, model_id))


@router.post("/models/{model_id}/runs", status_code=202, responses=problem_responses(404))
async def run_model(
    session: Session, principal: BankStrategist, model_id: ModelId, response: Response
) -> ModelRunView:
    """Train the model on the customers as they are now. The job in `Location` shows its progress, and
    cancels it: nothing of a cancelled run is kept.
    """
    model = await find_model(session, model_id, for_update=True)
    run, job = await usecase.start_run(session, principal, model)
    response.headers["Location"] = location_of(job)
    return await show_run(session, run)


@router.get("/models/{model_id}/runs", responses=problem_responses(404))
async def list_model_runs(
    session: Session, principal: Reader, model_id: ModelId, page: PageParams
) -> Page[ModelRunView]:
    """Runs of the model, newest first."""
    model = await find_model(session, model_id)
    listed = await paginate(
        session, runs_of(model.id), [ModelRun.number], page, lambda row: row[0], descending=True
    )
    return Page(items=await show_runs(session, listed.items), next_cursor=listed.next_cursor)


@router.get("/customers/{customer_id}/scores", responses=problem_responses(404))
async def list_customer_scores(
    session: Session, principal: Reader, store: FeatureStore, customer_id: CustomerId
) -> CustomerScores:
    """What the newest successful run of each model says about this customer."""
    ordinal = await store.run(lambda cursor: reading.ordinal_of(cursor, customer_id, principal.org))
    if ordinal is None:
        raise NotFound(f"There is no customer {customer_id} in your organisation.")
    return CustomerScores(customer_id=customer_id, models=await customer_scores(session, ordinal))
