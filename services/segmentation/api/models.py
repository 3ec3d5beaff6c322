"""Models: declare, run, look at the clusters, publish them as segments."""

from typing import Annotated
from uuid import UUID

from fastapi import Header, Path, Response

from services.segmentation.api.access import FeatureStore, Reader, Strategist
from services.segmentation.models import Model
from services.segmentation.queries.models import (
    cluster_profile,
    clusters_of,
    find_model,
    find_run,
    finished_run,
    model_row,
    models_with_last_run,
    show_model,
    show_run,
)
from services.segmentation.queries.run_members import RUN_EXPORT, run_member_batches, run_member_page
from services.segmentation.queries.segments import show_segment
from services.segmentation.usecases import models as usecase
from shared.columnar import ARROW, CSV, NDJSON, arrow_response
from shared.contracts.base import Page
from shared.contracts.segmentation import (
    ModelCreate,
    ModelRunView,
    ModelView,
    PublishedClusters,
    PublishRun,
    RunMember,
    RunProfile,
)
from shared.jobs import location_of
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses

router = Router(tags=["models"])

ModelId = Annotated[UUID, Path(description="Id of the model")]
RunId = Annotated[UUID, Path(description="Id of the model run")]
_COLUMNAR = (ARROW, CSV, NDJSON)


@router.post("/models", status_code=201, responses=problem_responses(409))
async def create_model(
    session: Session, principal: Strategist, body: ModelCreate, response: Response
) -> ModelView:
    """Declare a model; `POST /models/{id}/runs` trains it."""
    model = await usecase.create_model(session, principal, body)
    response.headers["Location"] = f"/v1/models/{model.id}"
    return await show_model(session, model)


@router.get("/models")
async def list_models(session: Session, principal: Reader, page: PageParams) -> Page[ModelView]:
    """Models by key, each with its newest run."""
    return await paginate(session, models_with_last_run(), [Model.key], page, model_row)


@router.get("/models/{model_id}", responses=problem_responses(404))
async def get_model(session: Session, principal: Reader, model_id: ModelId) -> ModelView:
    """One model: its parameters and its newest run."""
    return await show_model(session, await find_model(session, model_id))


@router.post("/models/{model_id}/runs", status_code=202, responses=problem_responses(404))
async def run_model(
    session: Session, principal: Strategist, model_id: ModelId, response: Response
) -> ModelRunView:
    """Train the model on the customers as they are now; the job in `Location` shows its progress."""
    model = await find_model(session, model_id, for_update=True)
    run, job = await usecase.start_run(session, principal, model)
    response.headers["Location"] = location_of(job)
    return await show_run(session, run)


@router.get("/model-runs/{run_id}", responses=problem_responses(404))
async def get_model_run(session: Session, principal: Reader, run_id: RunId) -> ModelRunView:
    """The record of a run: parameters, data window, metrics, sizes."""
    return await show_run(session, await find_run(session, run_id))


@router.get("/model-runs/{run_id}/profile", responses=problem_responses(404, 409))
async def get_run_profile(session: Session, principal: Reader, run_id: RunId) -> RunProfile:
    """Per cluster size, means and standardised differences, and a description in words."""
    run = await finished_run(session, run_id)
    clusters = await clusters_of(session, run.id)
    return RunProfile(run_id=run.id, clusters=[cluster_profile(each) for each in clusters])


@router.get(
    "/model-runs/{run_id}/members",
    response_model=Page[RunMember],
    responses={
        200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in _COLUMNAR}},
        **problem_responses(404, 409),
    },
)
async def list_run_members(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    run_id: RunId,
    page: PageParams,
    accept: Annotated[str | None, Header(description="Arrow, CSV or NDJSON: all customers at once")] = None,
) -> Page[RunMember] | Response:
    """Each customer's cluster, within your organisation."""
    run = await finished_run(session, run_id)
    clusters = await clusters_of(session, run.id)
    if accept is not None and any(media in accept for media in _COLUMNAR):
        return arrow_response(RUN_EXPORT, run_member_batches(store, clusters, principal.org), accept)
    return await run_member_page(store, clusters, principal.org, page)


@router.post("/model-runs/{run_id}:publish", status_code=201, responses=problem_responses(404, 409))
async def publish_run(
    session: Session, principal: Strategist, store: FeatureStore, run_id: RunId, body: PublishRun
) -> PublishedClusters:
    """Every cluster becomes a live segment of kind `cluster` with the members of this run."""
    run = await finished_run(session, run_id)
    segments = await usecase.publish_run(session, store, principal, run, body)
    return PublishedClusters(
        run_id=run.id, segments=[await show_segment(session, segment) for segment in segments]
    )
