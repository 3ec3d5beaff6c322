"""GE matrices for key accounts: weigh the factors, score customers, look at the nine cells."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response

from services.segmentation.api.access import BankStrategist, FeatureStore, Reader, Scorer
from services.segmentation.models.ge_matrix import GeMatrix, GeScore
from services.segmentation.queries import ge_matrices as queries
from services.segmentation.store import reading
from services.segmentation.usecases import ge_matrices as usecase
from services.segmentation.usecases.ge_scores import score
from shared.contracts.base import Page
from shared.contracts.segmentation.ge_matrix import (
    GeMatrixCreate,
    GeMatrixPatch,
    GeMatrixView,
    MatrixCells,
    ScoreHistory,
    ScoreRequest,
    ScoreResults,
    Weighing,
    WeighRequest,
)
from shared.errors import NotFound
from shared.pagination import PageParams, paginate
from shared.web import IfMatch, Router, Session, check_version, problem_responses, set_etag

router = Router(tags=["ge-matrices"])

MatrixReference = Annotated[
    str, Path(description="Id or key of the matrix", examples=["key-accounts"], max_length=80)
]


async def _matrix(session: Session, matrix: MatrixReference) -> GeMatrix:
    return await queries.find_matrix(session, matrix)


async def _locked_matrix(session: Session, matrix: MatrixReference) -> GeMatrix:
    return await queries.find_matrix(session, matrix, for_update=True)


NamedMatrix = Annotated[GeMatrix, Depends(_matrix)]
LockedMatrix = Annotated[GeMatrix, Depends(_locked_matrix)]


@router.post("/ge-matrices", status_code=201, responses=problem_responses(409))
async def create_ge_matrix(
    session: Session, principal: BankStrategist, body: GeMatrixCreate, response: Response
) -> GeMatrixView:
    """Declare a matrix with its factors. They weigh alike until `:weigh`."""
    matrix = await usecase.create_matrix(session, principal, body)
    response.headers["Location"] = f"/v1/ge-matrices/{matrix.id}"
    set_etag(response, matrix.revision)
    return await queries.show_matrix(session, matrix)


@router.get("/ge-matrices")
async def list_ge_matrices(session: Session, principal: Reader, page: PageParams) -> Page[GeMatrixView]:
    """Matrices by key."""
    return await paginate(session, queries.matrices_with_counts(), [GeMatrix.key], page, queries.matrix_row)


@router.get("/ge-matrices/{matrix}", responses=problem_responses(404))
async def get_ge_matrix(
    session: Session, principal: Reader, matrix: NamedMatrix, response: Response
) -> GeMatrixView:
    """One matrix: factors with weights, cut-offs, the strategy of every cell."""
    set_etag(response, matrix.revision)
    return await queries.show_matrix(session, matrix)


@router.patch("/ge-matrices/{matrix}", responses=problem_responses(404, 412, 428))
async def edit_ge_matrix(
    session: Session,
    principal: BankStrategist,
    matrix: LockedMatrix,
    body: GeMatrixPatch,
    expected: IfMatch,
    response: Response,
) -> GeMatrixView:
    """Change name, strategies or cut-offs. Factors stay: other factors make another matrix."""
    check_version(matrix.revision, expected)
    await usecase.edit_matrix(session, principal, matrix, body)
    set_etag(response, matrix.revision)
    return await queries.show_matrix(session, matrix)


@router.post("/ge-matrices/{matrix}:weigh", responses=problem_responses(404))
async def weigh_ge_matrix(
    session: Session, principal: BankStrategist, matrix: LockedMatrix, body: WeighRequest, response: Response
) -> Weighing:
    """Weights of one group by comparing its factors. By AHP, comparisons that contradict each other
    (consistency ratio 0.1 or more) are refused, naming the three that do so most.
    """
    found = await usecase.weigh(session, principal, matrix, body)
    set_etag(response, matrix.revision)
    return found


@router.post(
    "/ge-matrices/{matrix}:score",
    responses={
        207: {"model": ScoreResults, "description": "Some items were refused"},
        **problem_responses(404),
    },
)
async def score_ge_matrix(
    session: Session,
    principal: Scorer,
    store: FeatureStore,
    matrix: LockedMatrix,
    body: ScoreRequest,
    response: Response,
) -> ScoreResults:
    """Score up to 1,000 customers of your organisation. Factors with bands are scored from their feature
    where no score is given.
    """
    results = await score(session, store, principal, matrix, body.items)
    response.status_code = 207 if results.refused else 200
    return results


@router.get("/ge-matrices/{matrix}/cells", responses=problem_responses(404))
async def get_ge_matrix_cells(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    matrix: NamedMatrix,
    limit: Annotated[int, Query(ge=0, le=500, description="Customers shown per cell")] = 50,
) -> MatrixCells:
    """The nine cells within your organisation: strategy, count, the most valuable customers."""
    return await queries.matrix_cells(session, store, matrix, principal.org, limit)


@router.get("/customers/{customer_id}/ge-scores", responses=problem_responses(404))
async def list_customer_ge_scores(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    customer_id: Annotated[UUID, Path(description="Id of the customer")],
    page: PageParams,
) -> Page[ScoreHistory]:
    """Where the customer stands and stood in every matrix, newest first."""
    ordinal = await store.run(lambda cursor: reading.ordinal_of(cursor, customer_id, principal.org))
    if ordinal is None:
        raise NotFound(f"There is no customer {customer_id} in your organisation.")
    return await paginate(
        session, queries.history_of(ordinal), [GeScore.id], page, queries.history_row, descending=True
    )
