"""Service quality: models, what was observed, runs, and the index of branches."""

import asyncio
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Body, Depends, Path, Query, Request, Response

from services.evaluation.api.access import QualityFeed, QualityWrite, ReviewRead
from services.evaluation.queries import service_quality as queries
from services.evaluation.usecases import service_quality as usecases
from services.evaluation.usecases.service_quality_files import check_observations, read_observations
from shared.contracts.base import JobView, Key, OrgPath, Page
from shared.contracts.evaluation.service_quality import (
    ObservationsTaken,
    ObservedPeriods,
    Period,
    QualityIndex,
    QualityModel,
    QualityModelCreate,
    QualityRun,
    QualityRunRequest,
)
from shared.jobs import location_of
from shared.pagination import PageParams
from shared.uploads import file_body, file_parts
from shared.web import Rest, Router, Session, problem_responses

router = Router(tags=["service quality"])
# A month of a large bank's answers: a hundred thousand lines are some ten megabytes.
_MOST_BYTES = 64 * 1024**2
router.max_body_size = _MOST_BYTES

ModelKey = Annotated[Key, Path(description="Key of the model")]
RunId = Annotated[UUID, Path(description="Id of a run")]
OfPeriod = Annotated[Period, Path(description="Month that all observations of the file are of")]

_FILE_BODY = file_body(
    "CSV with a header, or Parquet; columns `branch`, `business`, `date`, indicators",
    ["text/csv", "application/vnd.apache.parquet"],
)


def _indicator(key: str, zh: str, en: str, **scale: object) -> dict[str, object]:
    return {"key": key, "name": {"zh": zh, "en": en}, **({"low": 1, "high": 5} | scale)}


_MODEL = {
    "key": "branch-service",
    "name": {"zh": "网点服务质量", "en": "Service in branches"},
    "businesses": [
        {
            "key": "counter",
            "name": {"zh": "柜面业务", "en": "Counter"},
            "dimensions": [
                {
                    "dimension": "timeliness",
                    "indicators": [
                        _indicator(
                            "wait_minutes", "等候分钟", "Minutes waited", low=0, high=240, better="lower"
                        ),
                        _indicator("prompt", "办理及时", "Served promptly"),
                    ],
                },
                {
                    "dimension": "reliability",
                    "indicators": [_indicator("correct", "准确无误", "Done correctly")],
                },
            ],
            "outcomes": [_indicator("satisfied", "柜面满意度", "Satisfied with the counter")],
        }
    ],
    "overall": [_indicator("recommend", "愿意推荐", "Would recommend us", low=0, high=10)],
}


@router.post("/service-quality/models", status_code=201, responses=problem_responses(409))
async def create_service_quality_model(
    session: Session,
    principal: QualityWrite,
    body: Annotated[QualityModelCreate, Body(openapi_examples={"branches": {"value": _MODEL}})],
) -> QualityModel:
    """Declare a model. The first post of a key makes version 1, the next version 2; no version ever changes.

    Observations stay with the key: a run of a version takes the months that hold all its indicators.
    """
    return await usecases.declare(session, principal, body)


@router.get("/service-quality/models")
async def list_service_quality_models(
    session: Session, principal: ReviewRead, page: PageParams
) -> Page[QualityModel]:
    """The newest version of each model, by key, with its newest run."""
    return await queries.model_page(session, page)


@router.get("/service-quality/models/{model_key}", responses=problem_responses(404))
async def get_service_quality_model(
    session: Session, principal: ReviewRead, model_key: ModelKey
) -> QualityModel:
    """The newest version of a model."""
    return await queries.model(session, model_key)


@dataclass(frozen=True)
class Upload:
    content: bytes


async def _uploaded(principal: QualityFeed, request: Request) -> Upload:
    """The file, raw or as the form field `file`. Before the session: an upload holds no transaction open."""
    parts = [part async for part in file_parts(request, {}, _MOST_BYTES)]
    return Upload(b"".join(parts))


@router.put(
    "/service-quality/models/{model_key}/observations/{period}",
    openapi_extra=_FILE_BODY,
    responses=problem_responses(404, 413),
)
async def put_service_quality_observations(
    upload: Annotated[Upload, Depends(_uploaded)],
    session: Session,
    principal: QualityFeed,
    rest: Rest,
    model_key: ModelKey,
    period: OfPeriod,
    skip_invalid: Annotated[bool, Query(description="Leave out lines that cannot be taken")] = False,  # noqa: FBT002
) -> ObservationsTaken:
    """Put the file's observations in the place of the month's, all at once.

    One line is one customer's answers, or one measured case, about one business in one branch. 422
    `rows-invalid` names lines and columns that cannot be taken, and nothing has changed; with `skip_invalid`
    the others are taken and the answer names those.
    """
    model = await queries.model(session, model_key)
    await rest()
    checked = await asyncio.to_thread(
        lambda: check_observations(read_observations(upload.content, model), model, period)
    )
    return await usecases.replace_observations(
        session, principal, model, period, checked, skip_invalid=skip_invalid
    )


@router.get("/service-quality/models/{model_key}/observations", responses=problem_responses(404))
async def list_service_quality_observations(
    session: Session, principal: ReviewRead, model_key: ModelKey
) -> ObservedPeriods:
    """How much was observed, by month and business, in the reader's branches; the newest month first."""
    return await queries.observed_periods(session, model_key)


@router.delete("/service-quality/models/{model_key}/observations/{period}", responses=problem_responses(404))
async def delete_service_quality_observations(
    session: Session, principal: QualityFeed, model_key: ModelKey, period: OfPeriod
) -> ObservedPeriods:
    """Take away a month that should not have been uploaded; the answer is what remains.

    Runs that rested on it stay as they are, and say so by their months: run the model again without it.
    """
    return await usecases.take_away(session, principal, model_key, period)


@router.post(
    "/service-quality/models/{model_key}:run", status_code=202, responses=problem_responses(404, 409)
)
async def run_service_quality_model(
    session: Session,
    principal: QualityWrite,
    model_key: ModelKey,
    response: Response,
    body: Annotated[QualityRunRequest | None, Body()] = None,
) -> JobView:
    """Estimate weights and index on what was observed. The job's result links to the index, or its problem
    says why there is none; its id is the run's.
    """
    job = await usecases.request_run(session, principal, model_key, body or QualityRunRequest())
    response.headers["Location"] = location_of(job)
    return job


@router.get("/service-quality/models/{model_key}/runs/{run_id}", responses=problem_responses(404))
async def get_service_quality_run(
    session: Session, principal: ReviewRead, model_key: ModelKey, run_id: RunId
) -> QualityRun:
    """What a run found about the bank: paths, weights, reliability, fit, and what it rests on."""
    return await queries.run(session, model_key, run_id)


@router.get("/service-quality/models/{model_key}/index", responses=problem_responses(404))
async def get_service_quality_index(
    session: Session,
    principal: ReviewRead,
    model_key: ModelKey,
    period: Annotated[Period | None, Query(description="Month; the newest when left out")] = None,
    org: Annotated[OrgPath | None, Query(description="This organisation and those below it")] = None,
) -> QualityIndex:
    """The index of the reader's branches by the newest run, with intervals, drivers and trend, and the whole
    bank's. Where reliability is below 0.7 branches are not compared: no ranks, no standing.
    """
    return await queries.index(session, model_key, period, org)
