"""GE matrices as rows: the matrix itself, its nine cells, what became of a customer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import duckdb
import numpy as np
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.ge_matrix import BANDS, class_of
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.models.ge_matrix import GeMatrix, GeScore
from services.segmentation.queries.feature_values import feature_values
from services.segmentation.queries.features import load_catalogue
from services.segmentation.store.scope import Known, active_by_ordinal
from services.segmentation.store.store import Store
from shared import clock
from shared.contracts.base import LocalText
from shared.contracts.segmentation.ge_matrix import (
    Band,
    CellPosition,
    CellStrategy,
    CellView,
    Cutoffs,
    FactorGroup,
    GeMatrixView,
    MatrixCells,
    PlacedCustomer,
    Play,
    ScoreCause,
    ScoreHistory,
    WeighedFactor,
    Weighing,
)
from shared.db import fetch
from shared.errors import NotFound


async def find_matrix(session: AsyncSession, reference: str, *, for_update: bool = False) -> GeMatrix:
    """By id or by key."""
    try:
        condition = GeMatrix.id == UUID(reference)
    except ValueError:
        condition = GeMatrix.key == reference
    statement = select(GeMatrix).where(condition)
    matrix = await session.scalar(statement.with_for_update() if for_update else statement)
    if matrix is None:
        raise NotFound(f"There is no GE matrix '{reference}'.")
    return matrix


def matrices_with_counts() -> Select[Any]:
    scored = (
        select(func.count())
        .where(GeScore.matrix_id == GeMatrix.id, GeScore.current)
        .correlate(GeMatrix)
        .scalar_subquery()
    )
    return cast("Select[Any]", select(GeMatrix, scored.label("scored")))


async def show_matrix(session: AsyncSession, matrix: GeMatrix) -> GeMatrixView:
    statement = matrices_with_counts().where(GeMatrix.id == matrix.id)
    return matrix_row((await session.execute(statement)).one())


def matrix_row(row: Any) -> GeMatrixView:
    matrix, scored = row[:2]
    return GeMatrixView(
        id=matrix.id,
        key=matrix.key,
        name=LocalText.model_validate(matrix.name),
        description=matrix.description,
        attractiveness=_weighed(matrix, FactorGroup.attractiveness),
        competitiveness=_weighed(matrix, FactorGroup.competitiveness),
        weighing={group: Weighing.model_validate(matrix.weighing[group]) for group in FactorGroup},
        cutoffs=Cutoffs(low=matrix.low, high=matrix.high),
        strategies=[_strategy(matrix, a, s) for a in _DOWN for s in _DOWN],
        value_feature=matrix.value_feature,
        scored=scored,
        revision=matrix.revision,
        created_at=matrix.created_at,
        updated_at=matrix.updated_at,
    )


_DOWN = tuple(reversed(BANDS))


def _weighed(matrix: GeMatrix, group: FactorGroup) -> list[WeighedFactor]:
    weights = matrix.weighing[group]["weights"]
    return [WeighedFactor(**each, weight=weights[each["key"]]) for each in matrix.factors[group]]


def _strategy(matrix: GeMatrix, attractiveness: str, competitiveness: str) -> CellStrategy:
    stored = matrix.strategies[f"{attractiveness}/{competitiveness}"]
    return CellStrategy(
        attractiveness=Band(attractiveness),
        competitiveness=Band(competitiveness),
        play=Play(stored["play"]),
        text=LocalText.model_validate(stored["text"]),
    )


_STANDING = """
SELECT ordinal, attractiveness, competitiveness, attractiveness_band, competitiveness_band, customer_class
FROM ge_score WHERE matrix_id = %(matrix)s AND current ORDER BY ordinal
"""


async def matrix_cells(
    session: AsyncSession, store: Store, matrix: GeMatrix, org: str, limit: int
) -> MatrixCells:
    """The nine cells within `org`; who was merged or erased stands in none."""
    rows = await fetch(session, _STANDING, {"matrix": matrix.id})
    moment = Moment(clock.now(), clock.ZONE)
    catalogue = await load_catalogue(session)

    def cells(cursor: duckdb.DuckDBPyConnection) -> list[CellView]:
        placed = _placed(cursor, [_Standing(*row) for row in rows], matrix, org, moment, catalogue)
        return [_cell(matrix, placed, a, s, limit) for a in _DOWN for s in _DOWN]

    found = await store.run(cells)
    classes = dict.fromkeys("ABC", 0)
    for cell in found:
        classes[cell.customer_class] += cell.count
    return MatrixCells(matrix_id=matrix.id, customers=sum(classes.values()), classes=classes, cells=found)


@dataclass(frozen=True)
class _Standing:
    """Where one customer stands now; named as the columns of `GeScore`."""

    ordinal: int
    attractiveness: float
    competitiveness: float
    attractiveness_band: str
    competitiveness_band: str
    customer_class: str


_Valued = tuple[_Standing, Known, float]
"""With the customer and its value, NaN where unknown."""
_Placed = dict[tuple[str, str], list[_Valued]]


def _placed(
    cursor: duckdb.DuckDBPyConnection,
    rows: Sequence[_Standing],
    matrix: GeMatrix,
    org: str,
    moment: Moment,
    catalogue: Catalogue,
) -> _Placed:
    """By the cell's bands."""
    known = active_by_ordinal(cursor, np.array([row.ordinal for row in rows], dtype=np.int32), org)
    shown = [row for row in rows if row.ordinal in known]
    ordinals = np.array([row.ordinal for row in shown], dtype=np.uint32)
    values = feature_values(cursor, [matrix.value_feature], ordinals, moment, catalogue)[:, 0].tolist()
    placed: _Placed = {}
    for row, value in zip(shown, values, strict=True):
        cell = placed.setdefault((row.attractiveness_band, row.competitiveness_band), [])
        cell.append((row, known[row.ordinal], value))
    return placed


def _cell(
    matrix: GeMatrix, placed: _Placed, attractiveness: str, competitiveness: str, limit: int
) -> CellView:
    inside = placed.get((attractiveness, competitiveness), [])
    best = sorted(inside, key=lambda each: 0.0 if np.isnan(each[2]) else -each[2])[:limit]
    return CellView(
        attractiveness=Band(attractiveness),
        competitiveness=Band(competitiveness),
        customer_class=class_of(attractiveness, competitiveness),
        strategy=_strategy(matrix, attractiveness, competitiveness),
        count=len(inside),
        customers=[
            PlacedCustomer(
                customer_id=customer.customer_id,
                org=customer.org,
                position=_position(row),
                value=None if np.isnan(value) else value,
            )
            for row, customer, value in best
        ],
    )


def history_of(ordinal: int) -> Select[Any]:
    """Positions of one customer in all matrices."""
    statement = select(GeScore, GeMatrix.key).join(GeMatrix, GeMatrix.id == GeScore.matrix_id)
    return cast("Select[Any]", statement.where(GeScore.ordinal == ordinal))


def history_row(row: Any) -> ScoreHistory:
    score, key = row[:2]
    return ScoreHistory(
        matrix_id=score.matrix_id,
        matrix_key=key,
        at=score.scored_at,
        by=score.scored_by,
        cause=ScoreCause(score.cause),
        scores=score.scores,
        position=_position(score),
        note=score.note,
        current=score.current,
    )


def _position(row: GeScore | _Standing) -> CellPosition:
    return CellPosition(
        attractiveness_score=row.attractiveness,
        competitiveness_score=row.competitiveness,
        attractiveness=Band(row.attractiveness_band),
        competitiveness=Band(row.competitiveness_band),
        customer_class=row.customer_class,
    )
