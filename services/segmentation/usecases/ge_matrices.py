"""Writing GE matrices: declare, weigh, change the cut-offs. Who is scored moves with each of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.ahp import (
    ACCEPTABLE,
    ComparisonError,
    Hierarchy,
    hierarchy,
    paired_weights,
)
from services.segmentation.domain.ge_matrix import BANDS, class_of, play_of
from services.segmentation.models.ge_matrix import GeMatrix
from services.segmentation.usecases.declaring import insert_new
from services.segmentation.usecases.ge_scores import place_again
from services.segmentation.usecases.numeric import check_numeric
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import LocalText
from shared.contracts.segmentation.ge_matrix import (
    CellStrategy,
    Factor,
    FactorGroup,
    GeMatrixCreate,
    GeMatrixPatch,
    Play,
    ScoreCause,
    Triple,
    Weighing,
    WeighMethod,
    WeighRequest,
)
from shared.errors import FieldError, Unprocessable
from shared.ids import new_id

_TEMPLATES = {
    Play.invest: LocalText(
        zh="投资发展：优先配置资源，专属团队，综合方案", en="Invest: resources first, own team, whole offer"
    ),
    Play.select: LocalText(
        zh="选择发展：挑选有把握的业务，按投入产出取舍", en="Select: the business that pays for its effort"
    ),
    Play.harvest: LocalText(
        zh="收获或退出：控制投入，标准化服务，收回资源", en="Harvest: standard service, effort withdrawn"
    ),
}
_SUM_TOLERANCE = 1e-6


async def create_matrix(session: AsyncSession, principal: Principal, wanted: GeMatrixCreate) -> GeMatrix:
    """Raises `Unprocessable` for factors named twice or unusable features, `Conflict` for a taken key."""
    groups = {
        FactorGroup.attractiveness: wanted.attractiveness,
        FactorGroup.competitiveness: wanted.competitiveness,
    }
    _check_factors(groups)
    await check_numeric(session, [*_features(groups), ("/value_feature", wanted.value_feature)])
    now = clock.now()
    created = await insert_new(
        session,
        GeMatrix,
        "matrix",
        id=new_id(),
        key=wanted.key,
        name=wanted.name.model_dump(),
        description=wanted.description,
        factors={group: [each.model_dump() for each in factors] for group, factors in groups.items()},
        weighing={group: _equal(factors).model_dump() for group, factors in groups.items()},
        low=wanted.cutoffs.low,
        high=wanted.cutoffs.high,
        strategies=_strategies(wanted.strategies),
        value_feature=wanted.value_feature,
        created_by=principal.id,
        created_at=now,
        updated_at=now,
    )
    audit(session, principal, "create", f"ge-matrix/{created.key}")
    return created


async def edit_matrix(
    session: AsyncSession, principal: Principal, matrix: GeMatrix, change: GeMatrixPatch
) -> None:
    """Changes what is given. `matrix` is locked. New cut-offs place everybody anew."""
    if change.value_feature is not None:
        await check_numeric(session, [("/value_feature", change.value_feature)])
        matrix.value_feature = change.value_feature
    if change.name is not None:
        matrix.name = change.name.model_dump()
    if change.description is not None:
        matrix.description = change.description
    if change.strategies is not None:
        matrix.strategies = {**matrix.strategies, **_given(change.strategies)}
    moved = 0
    if change.cutoffs is not None and (change.cutoffs.low, change.cutoffs.high) != (matrix.low, matrix.high):
        matrix.low, matrix.high = change.cutoffs.low, change.cutoffs.high
        moved = await place_again(session, principal, matrix, ScoreCause.cutoffs)
    await _touch(session, matrix)
    detail = {"fields": sorted(change.model_fields_set), "placed_again": moved}
    audit(session, principal, "edit", f"ge-matrix/{matrix.key}", detail)


async def weigh(
    session: AsyncSession, principal: Principal, matrix: GeMatrix, wanted: WeighRequest
) -> Weighing:
    """Weights of one group. Raises `Unprocessable` for comparisons that cannot be read or contradict
    each other too much; a dry run shows the contradiction instead and stores nothing.
    """
    keys = [factor["key"] for factor in matrix.factors[wanted.group]]
    found = weighing_of(keys, wanted)
    if wanted.dry_run:
        return found
    _refuse_inconsistent(found)
    matrix.weighing = {**matrix.weighing, wanted.group: found.model_dump()}
    moved = await place_again(session, principal, matrix, ScoreCause.weights)
    await _touch(session, matrix)
    detail = {"group": wanted.group, "method": wanted.method, "placed_again": moved}
    audit(session, principal, "weigh", f"ge-matrix/{matrix.key}", detail)
    return found


def weighing_of(keys: Sequence[str], wanted: WeighRequest) -> Weighing:
    if wanted.method == WeighMethod.direct:
        return _direct(keys, wanted.weights or {})
    rows = wanted.comparisons
    if rows is None or len(rows) != len(keys) or any(len(row) != len(keys) for row in rows):
        detail = f"must be {len(keys)} × {len(keys)}: one row and column per factor"
        raise Unprocessable("The comparisons are not a square.", errors=[FieldError("/comparisons", detail)])
    comparisons = np.asarray(rows, dtype=np.float64)
    try:
        if wanted.method == WeighMethod.ahp:
            return _by_hierarchy(keys, wanted, hierarchy(comparisons))
        weights = paired_weights(comparisons, 4.0 if wanted.method == WeighMethod.paired_4 else 1.0)
    except ComparisonError as error:
        pointer = f"/comparisons/{error.row}/{error.column}"
        between = f"{keys[error.row]} against {keys[error.column]} {error.detail}"
        raise Unprocessable(
            "The comparisons cannot be read.", errors=[FieldError(pointer, between)]
        ) from error
    return Weighing(method=wanted.method, comparisons=rows, weights=_named(keys, weights.tolist()))


def _by_hierarchy(keys: Sequence[str], wanted: WeighRequest, found: Hierarchy) -> Weighing:
    worst = None
    if found.worst is not None:
        factors = [keys[place] for place in found.worst.triple]
        worst = Triple(factors=factors, stated=found.worst.stated, implied=found.worst.implied)
    return Weighing(
        method=wanted.method,
        comparisons=wanted.comparisons,
        weights=_named(keys, found.weights.tolist()),
        eigenvalue=found.eigenvalue,
        consistency_ratio=found.ratio,
        worst=worst,
    )


def _refuse_inconsistent(found: Weighing) -> None:
    ratio, worst = found.consistency_ratio, found.worst
    if ratio is None or ratio < ACCEPTABLE or worst is None:
        return
    first, second, third = worst.factors
    detail = (
        f"{first} against {third} was compared as {worst.stated:.3g}, but {first} : {second} and "
        f"{second} : {third} imply {worst.implied:.3g}"
    )
    raise Unprocessable(
        f"The comparisons contradict each other: the consistency ratio is {ratio:.3f}, not below "
        f"{ACCEPTABLE:g}. Look at {first}, {second} and {third} first.",
        errors=[FieldError("/comparisons", detail)],
    )


def _direct(keys: Sequence[str], weights: Mapping[str, float]) -> Weighing:
    errors = [FieldError(f"/weights/{key}", "is not a factor of this group") for key in weights.keys() - keys]
    errors += [FieldError(f"/weights/{key}", "is required") for key in keys if key not in weights]
    if not errors and abs(sum(weights.values()) - 1) > _SUM_TOLERANCE:
        errors.append(FieldError("/weights", f"sum to {sum(weights.values()):g}, not to 1"))
    if errors:
        raise Unprocessable("The weights do not fit the factors.", errors=errors)
    return Weighing(method=WeighMethod.direct, comparisons=None, weights={key: weights[key] for key in keys})


def _named(keys: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    return dict(zip(keys, weights, strict=True))


def _equal(factors: Sequence[Factor]) -> Weighing:
    weights = {factor.key: 1 / len(factors) for factor in factors}
    return Weighing(method=WeighMethod.direct, comparisons=None, weights=weights)


def _check_factors(groups: Mapping[FactorGroup, Sequence[Factor]]) -> None:
    seen: set[str] = set()
    errors = []
    for group, factors in groups.items():
        for index, factor in enumerate(factors):
            if factor.key in seen:
                errors.append(FieldError(f"/{group}/{index}/key", f"'{factor.key}' is used twice"))
            seen.add(factor.key)
    if errors:
        raise Unprocessable("Factors need keys of their own.", errors=errors)


def _features(groups: Mapping[FactorGroup, Sequence[Factor]]) -> list[tuple[str, str]]:
    return [
        (f"/{group}/{index}/bands/feature", factor.bands.feature)
        for group, factors in groups.items()
        for index, factor in enumerate(factors)
        if factor.bands is not None
    ]


def _strategies(given: Sequence[CellStrategy]) -> dict[str, Any]:
    """All nine cells: the template of their class where nothing else is given."""
    made = {}
    for attractiveness in BANDS:
        for competitiveness in BANDS:
            play = Play(play_of(class_of(attractiveness, competitiveness)))
            made[f"{attractiveness}/{competitiveness}"] = {
                "play": play,
                "text": _TEMPLATES[play].model_dump(),
            }
    return {**made, **_given(given)}


def _given(strategies: Sequence[CellStrategy]) -> dict[str, Any]:
    return {
        f"{each.attractiveness}/{each.competitiveness}": {"play": each.play, "text": each.text.model_dump()}
        for each in strategies
    }


async def _touch(session: AsyncSession, matrix: GeMatrix) -> None:
    matrix.revision += 1
    matrix.updated_at = clock.now()
    await session.flush()
