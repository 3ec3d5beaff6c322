"""Scoring customers in a GE matrix: many at once, each accepted or refused for itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import duckdb
import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.ge_matrix import BANDS, Positions, banded, place
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.models.ge_matrix import GeMatrix
from services.segmentation.queries.erasures import erased_ordinals
from services.segmentation.queries.feature_values import feature_values
from services.segmentation.queries.features import load_catalogue
from services.segmentation.store.scope import Known, known_by_id
from services.segmentation.store.store import Store
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.segmentation.ge_matrix import (
    Band,
    CellPosition,
    CustomerScores,
    Factor,
    FactorGroup,
    ScoreCause,
    ScoreResult,
    ScoreResults,
)
from shared.db import fetch
from shared.errors import Conflict, FieldError, NotFound, ProblemError, Unprocessable
from shared.problems import problem_of

Scores = NDArray[np.float64]

_PRESENT = """
SELECT ordinal, scores::text, note FROM ge_score WHERE matrix_id = %(matrix)s AND current ORDER BY ordinal
"""

_SUPERSEDE = """
UPDATE ge_score SET current = false
WHERE matrix_id = %(matrix)s AND current AND ordinal = ANY(%(ordinal)b::int[])
"""

_INSERT = """
INSERT INTO ge_score (matrix_id, ordinal, scores, attractiveness, competitiveness, attractiveness_band,
  competitiveness_band, customer_class, note, cause, scored_by, scored_at, current)
SELECT %(matrix)s, ordinal, scores::jsonb, a, s, a_band, s_band, class, note, %(cause)s, %(by)s, %(at)s, true
FROM unnest(%(ordinal)b::int[], %(scores)b::text[], %(a)b::float8[], %(s)b::float8[], %(a_band)b::text[],
  %(s_band)b::text[], %(class)b::text[], %(note)b::text[])
  AS given(ordinal, scores, a, s, a_band, s_band, class, note)
ORDER BY ordinal
"""

_FORGET = "DELETE FROM ge_score WHERE ordinal = ANY(%(ordinal)b::int[])"


@dataclass(frozen=True)
class _Known:
    """What the store says of a batch: who is in scope, and their feature values (customers, factors)."""

    customers: dict[UUID, Known]
    banded: dict[int, dict[str, float]]


async def score(
    session: AsyncSession,
    store: Store,
    principal: Principal,
    matrix: GeMatrix,
    items: Sequence[CustomerScores],
) -> ScoreResults:
    """New positions of these customers, within the caller's organisation. `matrix` is locked."""
    factors = factors_of(matrix)
    ids = [item.customer_id for item in items]
    moment = Moment(clock.now(), clock.ZONE)
    catalogue = await load_catalogue(session)
    known = await store.run(lambda cursor: _look_up(cursor, factors, ids, principal.org, moment, catalogue))
    erased = await erased_ordinals(session)
    customers = {key: each for key, each in known.customers.items() if each.ordinal not in erased}
    known = _Known(customers, known.banded)
    results: list[ScoreResult] = []
    taken: list[tuple[int, int, dict[str, float], str]] = []
    seen: set[UUID] = set()
    for index, item in enumerate(items):
        try:
            ordinal, scores = _complete(index, item, factors, known, seen)
        except ProblemError as error:
            problem = problem_of(error)
            results.append(ScoreResult(index=index, customer_id=item.customer_id, problem=problem))
            continue
        taken.append((index, ordinal, scores, item.note))
    ordinals = [ordinal for _, ordinal, _, _ in taken]
    scored = [scores for _, _, scores, _ in taken]
    positions = positions_of(matrix, scored)
    notes = [note for *_, note in taken]
    texts = [orjson.dumps(each).decode() for each in scored]
    await _append(session, principal, matrix, ScoreCause.scores, ordinals, texts, positions, notes)
    for place_, (index, *_) in enumerate(taken):
        position = position_view(positions, place_)
        results.append(ScoreResult(index=index, customer_id=ids[index], position=position))
    if taken:
        audit(session, principal, "score", f"ge-matrix/{matrix.key}", {"customers": len(taken)})
    ordered = sorted(results, key=lambda result: result.index)
    return ScoreResults(scored=len(taken), refused=len(items) - len(taken), items=ordered)


async def place_again(
    session: AsyncSession, principal: Principal, matrix: GeMatrix, cause: ScoreCause
) -> int:
    """Everybody's present scores under the matrix's present weights and cut-offs; how many there are."""
    rows = await fetch(session, _PRESENT, {"matrix": matrix.id})
    ordinals, scores, notes = ([row[column] for row in rows] for column in range(3))
    positions = await asyncio.to_thread(lambda: positions_of(matrix, list(map(orjson.loads, scores))))
    await _append(session, principal, matrix, cause, ordinals, scores, positions, notes)
    return len(rows)


async def forget_scores(session: AsyncSession, ordinals: Sequence[int]) -> None:
    """Deletes every score, present and past, of customers that were erased.

    Whoever places customers holds their matrix: what is being placed now is waited for, and deleted too.
    """
    await session.execute(select(GeMatrix.id).order_by(GeMatrix.id).with_for_update())
    await fetch(session, _FORGET, {"ordinal": list(ordinals)})


def factors_of(matrix: GeMatrix) -> list[Factor]:
    return [Factor.model_validate(each) for group in FactorGroup for each in matrix.factors[group]]


def positions_of(matrix: GeMatrix, scores: Sequence[dict[str, float]]) -> Positions:
    def columns(group: FactorGroup) -> tuple[Scores, list[float]]:
        keys = [each["key"] for each in matrix.factors[group]]
        weights = matrix.weighing[group]["weights"]
        table = np.array([[each[key] for key in keys] for each in scores], dtype=np.float64)
        return table.reshape(len(scores), len(keys)), [weights[key] for key in keys]

    attractive, x = columns(FactorGroup.attractiveness)
    competitive, y = columns(FactorGroup.competitiveness)
    return place(attractive, competitive, x, y, matrix.low, matrix.high)


def position_view(positions: Positions, index: int) -> CellPosition:
    return CellPosition(
        attractiveness_score=float(positions.attractiveness[index]),
        competitiveness_score=float(positions.competitiveness[index]),
        attractiveness=Band(BANDS[positions.attractiveness_band[index]]),
        competitiveness=Band(BANDS[positions.competitiveness_band[index]]),
        customer_class=str(positions.classes[index]),
    )


def _look_up(
    cursor: duckdb.DuckDBPyConnection,
    factors: Sequence[Factor],
    ids: Sequence[UUID],
    org: str,
    moment: Moment,
    catalogue: Catalogue,
) -> _Known:
    customers = known_by_id(cursor, ids, org)
    ordinals = np.array(sorted({each.ordinal for each in customers.values()}), dtype=np.uint32)
    by_bands = [(factor.key, factor.bands) for factor in factors if factor.bands is not None]
    values = feature_values(cursor, [bands.feature for _, bands in by_bands], ordinals, moment, catalogue)
    found: dict[int, dict[str, float]] = {ordinal: {} for ordinal in ordinals.tolist()}
    for number, (key, bands) in enumerate(by_bands):
        column = banded(values[:, number], bands.cutoffs, lower_is_better=bands.lower_is_better)
        for ordinal, value in zip(ordinals.tolist(), column.tolist(), strict=True):
            if not np.isnan(value):
                found[ordinal][key] = value
    return _Known(customers, found)


def _complete(
    index: int, item: CustomerScores, factors: Sequence[Factor], known: _Known, seen: set[UUID]
) -> tuple[int, dict[str, float]]:
    """The customer's ordinal and a score for every factor: by hand where given, else by bands."""
    customer = known.customers.get(item.customer_id)
    if customer is None:
        raise NotFound(f"There is no customer {item.customer_id} in your organisation.")
    if customer.merged:
        raise Conflict("The customer was merged into another one: score that one.")
    if item.customer_id in seen:
        raise Unprocessable("The customer is listed twice.")
    seen.add(item.customer_id)
    scores = {**known.banded[customer.ordinal], **item.scores}
    at = f"/items/{index}/scores"
    keys = {factor.key for factor in factors}
    errors = [
        FieldError(f"{at}/{key}", "is not a factor of this matrix") for key in item.scores.keys() - keys
    ]
    for factor in factors:
        if factor.key not in scores:
            why = (
                f"is required: its feature '{factor.bands.feature}' is unknown"
                if factor.bands
                else "is required"
            )
            errors.append(FieldError(f"{at}/{factor.key}", why))
    if errors:
        raise Unprocessable("The scores do not fit the factors.", errors=errors)
    return customer.ordinal, {factor.key: scores[factor.key] for factor in factors}


async def _append(
    session: AsyncSession,
    principal: Principal,
    matrix: GeMatrix,
    cause: ScoreCause,
    ordinals: list[int],
    scores: list[str],
    positions: Positions,
    notes: list[str],
) -> None:
    """`scores`: as JSON."""
    if not ordinals:
        return
    values = {
        "matrix": matrix.id,
        "ordinal": ordinals,
        "scores": scores,
        "a": positions.attractiveness.tolist(),
        "s": positions.competitiveness.tolist(),
        "a_band": [BANDS[band] for band in positions.attractiveness_band],
        "s_band": [BANDS[band] for band in positions.competitiveness_band],
        "class": positions.classes.tolist(),
        "note": notes,
        "cause": str(cause),
        "by": principal.id,
        "at": clock.now(),
    }
    await fetch(session, _SUPERSEDE, values)
    await fetch(session, _INSERT, values)
