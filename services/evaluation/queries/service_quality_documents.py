"""What a run found, as the API tells it."""

from collections import Counter
from typing import Any

from services.evaluation.domain.measurement import RELIABLE
from services.evaluation.domain.quality_results import (
    BranchIndex,
    BusinessFit,
    Estimate,
    Measured,
    Path,
    Quality,
)
from shared.contracts.evaluation.service_quality import (
    BusinessResult,
    FactorModelFit,
    MeasuredConstruct,
    PathWeight,
    PeriodIndex,
)


def path_weight(path: Path) -> PathWeight:
    return PathWeight(
        name=path.name,
        path=path.path.value,
        path_ci=(path.path.low, path.path.high),
        weight=path.weight.value,
        weight_ci=(path.weight.low, path.weight.high),
        clipped=path.clipped,
    )


def business_result(fit: BusinessFit) -> BusinessResult:
    factors = fit.factors
    return BusinessResult(
        business=fit.business,
        rows=fit.n,
        dimensions=[path_weight(path) for path in fit.paths],
        measured=[_measured(one) for one in fit.measured],
        r_squared=fit.r_squared,
        factor_model=FactorModelFit(
            chi2=factors.chi2,
            df=factors.freedom,
            p_value=factors.p_value,
            cfi=factors.cfi,
            rmsea=factors.rmsea,
        )
        if factors
        else None,
    )


def _measured(one: Measured) -> MeasuredConstruct:
    known = one.reliability
    return MeasuredConstruct(
        name=one.name,
        weights=one.weights,
        loadings=one.loadings,
        alpha=known.alpha if known else None,
        composite=known.composite if known else None,
        ave=known.extracted if known else None,
        reliable=known.lowest >= RELIABLE if known else None,
        distinct=one.distinct,
        htmt=one.heterotrait,
    )


def bank_index(quality: Quality, periods: list[str]) -> list[PeriodIndex]:
    return [
        PeriodIndex(period=periods[number], index=found.value, ci=_ends(found))
        for number, found in sorted(quality.bank.items())
    ]


def branch_rows(quality: Quality, units: list[tuple[str, str]]) -> list[tuple[str, str, dict[str, Any]]]:
    """(branch, period, what is kept of it) of every branch-month, also of those without an index."""
    ranked = Counter(units[row.unit][1] for row in quality.branches if row.rank is not None)
    found = [
        (*units[row.unit], _branch_row(row, ranked[units[row.unit][1]] or None)) for row in quality.branches
    ]
    return found + [(*units[unit], {"detail": detail}) for unit, detail in quality.left_out.items()]


def _branch_row(row: BranchIndex, ranked: int | None) -> dict[str, Any]:
    return {
        "rows": row.n,
        "index": row.index.value,
        "ci": _ends(row.index),
        "rank": row.rank,
        "rank_ci": row.rank_interval,
        "ranked": ranked,
        "standing": row.standing,
        "drivers": [
            {
                "business": driver.business,
                "dimension": driver.dimension,
                "weight": driver.weight,
                "deviation": driver.deviation,
                "contribution": driver.contribution,
            }
            for driver in row.drivers
        ],
    }


def _ends(found: Estimate) -> tuple[float, float]:
    return found.low, found.high
