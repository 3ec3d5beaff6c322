"""Runs of models: their record, groups, scores and drift; approve, reproduce, publish."""

from typing import Annotated
from uuid import UUID

from fastapi import Header, Path, Response

from services.segmentation.api.access import BankApprover, BankStrategist, FeatureStore, Reader
from services.segmentation.queries.models import (
    cluster_profile,
    clusters_of,
    find_model,
    find_run,
    finished_run,
    show_run,
)
from services.segmentation.queries.run_members import RUN_EXPORT, run_member_batches, run_member_page
from services.segmentation.queries.run_results import (
    borderline_page,
    drift_view,
    k_table_view,
    projection_view,
    record_of,
)
from services.segmentation.queries.scores import (
    score_batches,
    score_columns,
    score_names,
    score_page,
    score_schema,
)
from services.segmentation.queries.segments import show_segment
from services.segmentation.usecases import models as usecase
from services.segmentation.usecases.publication import publish_run as publish
from shared.columnar import ARROW, CSV, NDJSON, arrow_response
from shared.contracts.base import JobView, Page
from shared.contracts.segmentation import (
    ModelRunView,
    PublishedClusters,
    PublishRun,
    RunMember,
    RunProfile,
)
from shared.contracts.segmentation.clusters import DriftView, KTableView
from shared.contracts.segmentation.models import (
    ApproveRun,
    BorderlineCustomer,
    ModelRecord,
    Projection,
    ScoreRow,
)
from shared.jobs import location_of
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["models"])

RunId = Annotated[UUID, Path(description="Id of the model run")]
_COLUMNAR = (ARROW, CSV, NDJSON)
_STREAMED = {
    200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in _COLUMNAR}},
    **problem_responses(404, 409),
}
Accepted = Annotated[str | None, Header(description="Arrow, CSV or NDJSON: all customers at once")]


@router.get("/model-runs/{run_id}", responses=problem_responses(404))
async def get_model_run(session: Session, principal: Reader, run_id: RunId) -> ModelRunView:
    """A run: how far it is or how it ended, parameters, data window, metrics, sizes."""
    return await show_run(session, await find_run(session, run_id))


@router.get("/model-runs/{run_id}/record", responses=problem_responses(404, 409))
async def get_run_record(session: Session, principal: Reader, run_id: RunId) -> ModelRecord:
    """The whole record by CRISP-DM: goal, data understanding, preparation, parameters, evaluation,
    approval, and the digests by which it can be reproduced.
    """
    return await record_of(session, await finished_run(session, run_id))


@router.get("/model-runs/{run_id}/profile", responses=problem_responses(404, 409))
async def get_run_profile(session: Session, principal: Reader, run_id: RunId) -> RunProfile:
    """Per group size, means and standardised differences, a description in words and a rule."""
    run = await finished_run(session, run_id)
    clusters = await clusters_of(session, run.id)
    return RunProfile(run_id=run.id, clusters=[cluster_profile(each) for each in clusters])


@router.get("/model-runs/{run_id}/k-table", responses=problem_responses(404, 409))
async def get_run_k_table(session: Session, principal: Reader, run_id: RunId) -> KTableView:
    """The evidence for each number of groups, what it recommends and the runner-up."""
    return k_table_view(await finished_run(session, run_id))


@router.get("/model-runs/{run_id}/drift", responses=problem_responses(404, 409))
async def get_run_drift(session: Session, principal: Reader, run_id: RunId) -> DriftView:
    """What changed since the run before: who moved between groups, and which features shifted."""
    return await drift_view(session, await finished_run(session, run_id))


@router.get("/model-runs/{run_id}/projection", responses=problem_responses(404, 409))
async def get_run_projection(
    session: Session, principal: Reader, store: FeatureStore, run_id: RunId
) -> Projection:
    """A sample of customers on two axes with group and degree, within your organisation."""
    run = await finished_run(session, run_id)
    return await projection_view(session, store, run, principal.org)


@router.get("/model-runs/{run_id}/borderline", responses=problem_responses(404, 409))
async def list_borderline_customers(
    session: Session, principal: Reader, store: FeatureStore, run_id: RunId, page: PageParams
) -> Page[BorderlineCustomer]:
    """Customers between two groups or at the rim of their own, most doubtful first."""
    run = await finished_run(session, run_id)
    return await borderline_page(session, store, run, principal.org, page)


@router.get("/model-runs/{run_id}/members", response_model=Page[RunMember], responses=_STREAMED)
async def list_run_members(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    run_id: RunId,
    page: PageParams,
    accept: Accepted = None,
) -> Page[RunMember] | Response:
    """Each customer's groups and scores, within your organisation."""
    run = await finished_run(session, run_id)
    clusters = await clusters_of(session, run.id)
    if accept is not None and any(media in accept for media in _COLUMNAR):
        return arrow_response(RUN_EXPORT, run_member_batches(store, clusters, principal.org), accept)
    return await run_member_page(session, store, run.id, clusters, principal.org, page)


@router.get("/model-runs/{run_id}/scores", response_model=Page[ScoreRow], responses=_STREAMED)
async def list_run_scores(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    run_id: RunId,
    page: PageParams,
    accept: Accepted = None,
) -> Page[ScoreRow] | Response:
    """What the run says about each customer it saw, within your organisation."""
    run = await finished_run(session, run_id)
    if accept is not None and any(media in accept for media in _COLUMNAR):
        names = await score_names(session, run.id)
        batches = score_batches(store, await score_columns(session, run.id), names, principal.org)
        return arrow_response(score_schema(names), batches, accept)
    return await score_page(session, store, run.id, principal.org, page)


@router.post("/model-runs/{run_id}:approve", responses=problem_responses(404, 409))
async def approve_run(
    session: Session, principal: BankApprover, run_id: RunId, body: ApproveRun
) -> ModelRunView:
    """Take the result for good. Not by who trained it."""
    run = await finished_run(session, run_id, for_update=True)
    await usecase.approve_run(session, principal, run, body.note)
    return await show_run(session, run)


@router.post("/model-runs/{run_id}:reproduce", status_code=202, responses=problem_responses(404, 409))
async def reproduce_run(
    session: Session, principal: BankStrategist, run_id: RunId, response: Response
) -> JobView:
    """Train again from what the run read and its seed; the record then says whether all came out the same."""
    run = await finished_run(session, run_id)
    job = await usecase.request_reproduction(session, principal, run)
    response.headers["Location"] = location_of(job)
    return job


@router.post("/model-runs/{run_id}:publish", status_code=201, responses=problem_responses(404, 409))
async def publish_run(
    session: Session, principal: BankStrategist, store: FeatureStore, run_id: RunId, body: PublishRun
) -> PublishedClusters:
    """Every group becomes a live segment: with the run's members, or by its rule. Segments that an
    earlier run of the model published under the prefix follow this run; who joins and leaves is told.
    """
    run = await finished_run(session, run_id)
    model = await find_model(session, run.model_id, for_update=True)
    segments = await publish(session, store, principal, model, run, body)
    return PublishedClusters(
        run_id=run.id, segments=[await show_segment(session, segment) for segment in segments]
    )
