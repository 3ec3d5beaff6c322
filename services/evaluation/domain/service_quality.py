"""The service-quality index: what branches' service is worth to those served, as one figure with its reasons.

A_i = Σ_k μ_ik x_k over the dimensions k of business i, F = Σ_i β_i A_i, Σ_k μ_ik = 1, Σ_i β_i = 1. x_k are
scores of the dimensions, standardised over all observations; weights are the paths of a model by partial
least squares. Businesses are estimated one by one, each on its own observations; the bank over
branch-months, on the businesses' scores (two stages, Sarstedt et al. 2019). A path below zero counts nothing
and is told. The index is 100 at the average of the run's observations; ten points are one standard deviation
of a dimension's score.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from services.evaluation.domain.measurement import RELIABLE
from services.evaluation.domain.pls import Construct, NoFit, estimate_from, fewest, percentiles, refit
from services.evaluation.domain.quality_business import Progress, Stage, estimate_business, paths_of
from services.evaluation.domain.quality_results import (
    BranchIndex,
    Driver,
    Estimate,
    NoIndex,
    Options,
    Path,
    Quality,
    Standing,
    Units,
    shares,
)
from services.evaluation.domain.quality_samples import FEWEST, WHOLE, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BASE = 100.0
POINTS = 10.0


def assess_quality(
    samples: Sequence[Sample], units: Units, options: Options, progress: Progress = lambda _: None
) -> Quality | NoIndex:
    """The index of every branch-month with its interval, drivers, rank and what it rests on.

    `progress` is told the share of the work done, and may raise to stop it.
    """
    rng = np.random.default_rng(options.seed)
    stages: list[Stage] = []
    for number, sample in enumerate(samples):

        def part(done: float, before: int = number) -> None:
            progress((before + done) / len(samples))

        stage = estimate_business(sample, options, rng, part)
        if isinstance(stage, NoIndex):
            return replace(stage, detail=f"{sample.business}: {stage.detail}")
        stages.append(stage)
    table = _Table.of(stages, units)
    bank = _bank(stages, table, units, options, rng)
    return bank if isinstance(bank, NoIndex) else _quality(stages, table, bank, units, options)


@dataclass(frozen=True, slots=True)
class _Table:
    """Units by businesses. `scores` (U, B) and `score_draws` (R, U, B): A_i, zero where there is none;
    `counts` (U, B) observations. `overall` (U, q), `overall_draws` (R, U, q) over all businesses together.
    """

    scores: Floats
    score_draws: Floats
    overall: Floats
    overall_draws: Floats
    counts: NDArray[np.intp]

    @classmethod
    def of(cls, stages: Sequence[Stage], units: Units) -> _Table:
        usable = np.logical_and.reduce([stage.usable for stage in stages])
        size, width = len(units.branch), stages[0].overall_means.shape[1]
        scores, counts = np.zeros((size, len(stages))), np.zeros((size, len(stages)), dtype=np.intp)
        score_draws = np.zeros((int(usable.sum()), size, len(stages)))
        overall, overall_draws = np.zeros((size, width)), np.zeros((len(score_draws), size, width))
        for number, stage in enumerate(stages):
            at, rows = stage.cells.units, stage.cells.sizes
            scores[at, number] = stage.dimension_means @ stage.weights
            score_draws[:, at, number] = stage.score_draws[usable]
            overall[at] += stage.overall_means * rows[:, None]
            overall_draws[:, at] += stage.overall_draws[usable] * rows[:, None]
            counts[at, number] = rows
        total = np.maximum(counts.sum(axis=1), 1)[:, None]
        return cls(scores, score_draws, overall / total, overall_draws / total, counts)

    @property
    def complete(self) -> NDArray[np.intp]:
        """Units with enough observations of every business."""
        return np.flatnonzero((self.counts >= FEWEST).all(axis=1))


@dataclass(frozen=True, slots=True)
class _Bank:
    """`weights` (B,) β and (R, B) of the samples; of those only `usable` (R,)."""

    paths: list[Path]
    weights: Floats
    weight_draws: Floats
    usable: NDArray[np.bool_]
    r_squared: float | None


def _bank(
    stages: Sequence[Stage], table: _Table, units: Units, options: Options, rng: np.random.Generator
) -> _Bank | NoIndex:
    names = [stage.sample.business for stage in stages]
    whole, size = table.complete, len(names)
    constructs = _bank_model(names, table.overall.shape[1])
    seen: Floats = np.hstack([table.scores, table.overall])[whole]
    fault = _bank_fault(seen, size, fewest(constructs))
    if fault:
        return fault
    if size == 1:
        one = np.ones((len(table.score_draws), 1))
        return _Bank(paths_of(names, one[0], one, options.alpha), one[0], one, one[:, 0] > 0, None)
    correlations: Floats = np.corrcoef(seen, rowvar=False).reshape(seen.shape[1], -1)
    fit = estimate_from(correlations, constructs, options.scheme)
    if isinstance(fit, NoFit):
        return NoIndex(fit.code, f"businesses: {fit.detail}")
    weights = shares(fit.paths[:size, size])
    if np.isnan(weights).any():
        return NoIndex("no-positive-path", "no business has a path above zero")
    other = refit(_bank_draws(table, units.branch, whole, rng), constructs, fit, options.scheme)
    drawn = other.paths[:, :size, size]
    weight_draws = shares(drawn)
    usable = other.usable & np.isfinite(weight_draws).all(axis=1)
    if usable.sum() < len(usable) / 2 or not usable.any():
        return NoIndex(
            "no-convergence", f"{usable.sum()} of {len(usable)} samples of branches could be estimated"
        )
    return _Bank(
        paths=paths_of(names, fit.paths[:size, size], drawn[usable], options.alpha),
        weights=weights,
        weight_draws=weight_draws,
        usable=usable,
        r_squared=float(fit.r_squared[size]) if table.overall.shape[1] else None,
    )


def _bank_fault(seen: Floats, businesses: int, needed: int) -> NoIndex | None:
    if not len(seen):
        return NoIndex("too-few", f"no branch has {FEWEST} observations of every business in any month")
    if businesses > 1 and len(seen) < needed:
        return NoIndex(
            "too-few",
            f"{len(seen)} branch-months have {FEWEST} observations of every business;"
            f" {needed} are needed to weigh {businesses} businesses",
        )
    if businesses > 1 and (np.ptp(seen, axis=0) < 1e-12).any():
        return NoIndex("no-variance", "a business is the same in every branch")
    return None


def _bank_model(names: Sequence[str], overall: int) -> tuple[Construct, ...]:
    """Businesses by their scores, and behind them the bank: by its own indicators, or by all the scores."""
    size = len(names)
    below = tuple(Construct(name, (number,)) for number, name in enumerate(names))
    own = tuple(range(size, size + overall)) or tuple(range(size))
    return (*below, Construct(WHOLE, own, after=tuple(names)))


def _bank_draws(
    table: _Table, branch: NDArray[np.intp], whole: NDArray[np.intp], rng: np.random.Generator
) -> Floats:
    """(R, p, p) correlations over branch-months, branches drawn with replacement with all their months."""
    _, member = np.unique(branch[whole], return_inverse=True)
    branches, replicates = int(member.max()) + 1, len(table.score_draws)
    times = rng.multinomial(branches, np.full(branches, 1 / branches), size=replicates)[:, member]
    share = times / times.sum(axis=1, keepdims=True)
    rows = np.concatenate([table.score_draws, table.overall_draws], axis=2)[:, whole]
    centred = rows - np.einsum("ru,rup->rp", share, rows)[:, None, :]
    covariance = np.einsum("ru,rup,ruq->rpq", share, centred, centred, optimize=True)
    spread = np.sqrt(np.maximum(np.einsum("rpp->rp", covariance), 1e-18))
    return np.asarray(covariance / (spread[:, :, None] * spread[:, None, :]))


def _quality(stages: Sequence[Stage], table: _Table, bank: _Bank, units: Units, options: Options) -> Quality:
    unreliable = [
        f"{stage.sample.business}/{one.name}"
        for stage in stages
        for one in stage.fit.measured
        if one.reliability and one.reliability.lowest < RELIABLE
    ]
    index = points(table.scores @ bank.weights)
    drawn = points(np.einsum("rub,rb->ru", table.score_draws, bank.weight_draws))[bank.usable]
    average, average_draws = _averages(table, bank, units)
    branches = []
    for period, value in average.items():
        among = table.complete[units.period[table.complete] == period]
        rows = _rows(among, table, index, drawn, options.alpha)
        drivers = _drivers(stages, bank, among)
        rows = [replace(row, drivers=drivers[row.unit]) for row in rows]
        if not unreliable:
            rows = _compared(
                rows, index[among] - value, drawn[:, among], average_draws[period], options.alpha
            )
        branches += rows
    return Quality(
        businesses=[stage.fit for stage in stages],
        shares=bank.paths,
        bank_r_squared=bank.r_squared,
        bank={
            period: estimated(value, average_draws[period], options.alpha)
            for period, value in average.items()
        },
        branches=branches,
        left_out=_left_out(stages, table),
        unreliable=unreliable,
        replicates=int(bank.usable.sum()),
    )


def points(score: Floats) -> Floats:
    """F, in standard deviations, as the index."""
    return BASE + POINTS * score


def estimated(value: float, drawn: Floats, alpha: float) -> Estimate:
    low, high = percentiles(drawn, alpha)
    return Estimate(float(value), float(low), float(high))


def _averages(table: _Table, bank: _Bank, units: Units) -> tuple[dict[int, float], dict[int, Floats]]:
    """The bank's index by period and in the samples: every observation counts, whatever its branch."""
    value, drawn = {}, {}
    for period in np.unique(units.period).tolist():
        at = np.flatnonzero(units.period == period)
        share = table.counts[at].sum(axis=0)
        if (share == 0).any():
            continue
        share = table.counts[at] / share
        value[period] = float(points((table.scores[at] * share).sum(axis=0) @ bank.weights))
        scores = np.einsum("rub,ub->rb", table.score_draws[:, at], share)
        drawn[period] = points(np.einsum("rb,rb->r", scores, bank.weight_draws))[bank.usable]
    return value, drawn


def _rows(
    among: NDArray[np.intp], table: _Table, index: Floats, drawn: Floats, alpha: float
) -> list[BranchIndex]:
    return [
        BranchIndex(
            unit=unit,
            n=int(table.counts[unit].sum()),
            index=estimated(index[unit], drawn[:, unit], alpha),
            drivers=[],
        )
        for unit in among.tolist()
    ]


def _drivers(stages: Sequence[Stage], bank: _Bank, among: NDArray[np.intp]) -> dict[int, list[Driver]]:
    """Unit → its drivers, the strongest first; with 100 they sum to its index."""
    found: dict[int, list[Driver]] = {unit: [] for unit in among.tolist()}
    for share, stage in zip(bank.weights, stages, strict=True):
        place = np.searchsorted(stage.cells.units, among)
        for k, dimension in enumerate(stage.sample.dimensions):
            weight = float(share * stage.weights[k])
            for unit, deviation in zip(among.tolist(), stage.dimension_means[place, k].tolist(), strict=True):
                found[unit].append(
                    Driver(
                        stage.sample.business, dimension.name, weight, deviation, POINTS * weight * deviation
                    )
                )
    return {unit: sorted(rows, key=lambda row: -abs(row.contribution)) for unit, rows in found.items()}


def _compared(
    rows: Sequence[BranchIndex], ahead: Floats, drawn: Floats, average: Floats, alpha: float
) -> list[BranchIndex]:
    """Ranks among the rows, 1 the best, and whether each is above the bank in the same month.

    `ahead` (rows,) of the bank; `drawn` (R, rows) and `average` (R,) indices in the samples.
    """
    if not rows:
        return []
    ranks = np.argsort(np.argsort(-ahead, kind="stable"), kind="stable") + 1
    drawn_ranks = np.argsort(np.argsort(-drawn, axis=1, kind="stable"), axis=1, kind="stable") + 1
    best, worst = percentiles(drawn_ranks.astype(float), alpha)
    low, high = percentiles(drawn - average[:, None], alpha)
    return [
        replace(
            row,
            rank=int(ranks[number]),
            rank_interval=(floor(best[number]), ceil(worst[number])),
            standing=_standing(low[number], high[number]),
        )
        for number, row in enumerate(rows)
    ]


def _standing(low: float, high: float) -> Standing:
    if low > 0:
        return "above"
    return "below" if high < 0 else "as_bank"


def _left_out(stages: Sequence[Stage], table: _Table) -> dict[int, str]:
    lacking = np.argwhere(table.counts < FEWEST)
    reasons: dict[int, list[str]] = {}
    for unit, business in lacking.tolist():
        count = int(table.counts[unit, business])
        reasons.setdefault(unit, []).append(f"{count} observations of {stages[business].sample.business}")
    return {unit: f"{', '.join(found)}; {FEWEST} are needed" for unit, found in reasons.items()}
