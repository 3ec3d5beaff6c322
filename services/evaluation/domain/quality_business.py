"""One business of the service-quality index: its dimensions' weights, and how well they are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.evaluation.domain.factors import confirm
from services.evaluation.domain.measurement import distinct, heterotrait_ratio, reliability
from services.evaluation.domain.pls import (
    Construct,
    NoFit,
    PathFit,
    check,
    check_data,
    constant_columns,
    estimate_from,
    percentiles,
    refit,
)
from services.evaluation.domain.quality_results import (
    BusinessFit,
    Estimate,
    Measured,
    NoIndex,
    Options,
    Path,
    shares,
)
from services.evaluation.domain.quality_samples import Cells, Sample, cell_means, draws, standardised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """One business: `weights` (K,) μ; `dimension_means` (cells, K); `score_draws` (R, cells) of A_i."""

    sample: Sample
    cells: Cells
    fit: BusinessFit
    weights: Floats
    dimension_means: Floats
    score_draws: Floats
    overall_means: Floats
    overall_draws: Floats
    usable: NDArray[np.bool_]


def estimate_business(
    sample: Sample, options: Options, rng: np.random.Generator, progress: Progress
) -> Stage | NoIndex:
    constructs, size = sample.constructs(), len(sample.dimensions)
    wrong = check(constructs, sample.values.shape[1]) or _data_fault(sample, constructs)
    if wrong:
        return NoIndex(wrong.code, wrong.detail)
    values, cells = standardised(sample.values), sample.cells()
    correlations = values.T @ values / len(values)
    fit = estimate_from(correlations, constructs, options.scheme)
    if isinstance(fit, NoFit):
        return NoIndex(fit.code, fit.detail)
    weights = shares(fit.paths[:size, size])
    if np.isnan(weights).any():
        return NoIndex("no-positive-path", "no dimension has a path above zero")
    means = cell_means(values, cells)
    paths, scores, overall, usable = [], [], [], []
    for drawn in draws(values, cells, options.replicates, rng, options.alpha):
        other = refit(drawn.correlations, constructs, fit, options.scheme)
        path = other.paths[:, :size, size]
        weight = shares(path)
        paths.append(path)
        scores.append(
            np.einsum("rcp,rpk,rk->rc", drawn.means, other.weights[:, :, :size], weight, optimize=True)
        )
        overall.append(drawn.means[:, :, list(sample.overall)])
        usable.append(drawn.sound & other.usable & np.isfinite(weight).all(axis=1))
        progress(sum(map(len, paths)) / options.replicates)
    sound = np.concatenate(usable)
    if sound.sum() < options.replicates / 2:
        return NoIndex("no-convergence", f"{sound.sum()} of {options.replicates} samples could be estimated")
    return Stage(
        sample=sample,
        cells=cells,
        fit=_business_fit(sample, correlations, fit, np.concatenate(paths)[sound], options.alpha),
        weights=weights,
        dimension_means=means @ fit.weights[:, :size],
        score_draws=np.concatenate(scores),
        overall_means=means[:, list(sample.overall)],
        overall_draws=np.concatenate(overall),
        usable=sound,
    )


def _data_fault(sample: Sample, constructs: Sequence[Construct]) -> NoFit | None:
    fault = check_data(sample.values, constructs)
    if fault is None or fault.code != "no-variance":
        return fault
    flat = [sample.indicators[column] for column in constant_columns(sample.values)]
    return NoFit("no-variance", f"the same in every observation: {', '.join(flat)}")


def paths_of(names: Sequence[str], values: Floats, drawn: Floats, alpha: float) -> list[Path]:
    """Each path with its share: `values` (K,), and `drawn` (R, K) of other samples."""
    low, high = percentiles(drawn, alpha)
    weight = shares(values)
    weight_low, weight_high = percentiles(shares(drawn), alpha)
    return [
        Path(
            name,
            Estimate(float(values[k]), float(low[k]), float(high[k])),
            Estimate(float(weight[k]), float(weight_low[k]), float(weight_high[k])),
            clipped=bool(values[k] < 0),
        )
        for k, name in enumerate(names)
    ]


def _business_fit(
    sample: Sample, correlations: Floats, fit: PathFit, drawn: Floats, alpha: float
) -> BusinessFit:
    size = len(sample.dimensions)
    shown = [list(one.columns) for one in sample.dimensions if one.mode == "A" and len(one.columns) > 1]
    alone = len({column for block in shown for column in block}) == sum(map(len, shown))
    return BusinessFit(
        business=sample.business,
        n=len(sample.values),
        paths=paths_of([one.name for one in sample.dimensions], fit.paths[:size, size], drawn, alpha),
        measured=_measured(sample, correlations, fit),
        r_squared=float(fit.r_squared[size]) if sample.outcomes else None,
        factors=confirm(correlations, len(sample.values), shown) if shown and alone else None,
    )


def _measured(sample: Sample, correlations: Floats, fit: PathFit) -> list[Measured]:
    blocks = [(one.name, one.columns, one.mode) for one in sample.dimensions]
    if sample.outcomes:
        blocks.append(("outcomes", sample.outcomes, "A"))
    found = []
    for number, (name, columns, mode) in enumerate(blocks):
        block = list(columns)
        shows = mode == "A" and len(block) > 1
        loadings = fit.loadings[block, number]
        known = reliability(correlations[np.ix_(block, block)], list(loadings)) if shows else None
        others = [index for index in range(len(sample.dimensions)) if index != number]
        between = [float(value) for value in fit.correlations[number, others]]
        ratios = {
            blocks[other][0]: heterotrait_ratio(correlations, block, blocks[other][1])
            for other in others
            if shows and blocks[other][2] == "A" and len(blocks[other][1]) > 1
        }
        found.append(
            Measured(
                name=name,
                weights={sample.indicators[column]: float(fit.weights[column, number]) for column in block},
                loadings={sample.indicators[column]: float(fit.loadings[column, number]) for column in block},
                reliability=known,
                distinct=distinct(known.extracted, between) if known else None,
                heterotrait={other: ratio for other, ratio in ratios.items() if ratio is not None},
            )
        )
    return found
