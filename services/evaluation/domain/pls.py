"""Path models by partial least squares (Wold 1982; Lohmöller 1989; Tenenhaus et al. 2005).

Constructs are weighted sums of their own indicators, with weights found in turn with the paths
between them. All of it is a function of the indicators' correlations, so many samples (those of a
bootstrap) are estimated together from one stack of correlation matrices.

What cannot be estimated is a `NoFit` with a code and a reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Mode = Literal["A", "B"]
Scheme = Literal["centroid", "path"]
Code = Literal[
    "too-few",
    "no-variance",
    "not-finite",
    "no-indicators",
    "no-path",
    "cyclic",
    "collinear",
    "no-convergence",
]

OBSERVATIONS_PER_ARROW = 10
"""Barclay, Higgins and Thompson (1995): observations for each arrow into the busiest construct."""
TOLERANCE = 1e-7
ITERATIONS = 500
_SINGULAR = 1e-9


@dataclass(frozen=True, slots=True)
class Construct:
    """Something not observed itself. `indicators` are columns of the data, higher is better; one column may
    serve several constructs (a construct of higher order repeats the indicators of those below it).

    Mode A: the construct shows in its indicators. Mode B: the indicators make it up.
    """

    name: str
    indicators: tuple[int, ...]
    mode: Mode = "A"
    after: tuple[str, ...] = ()
    """Names of the constructs whose paths lead here."""


@dataclass(frozen=True, slots=True)
class NoFit:
    """Why there is no estimate."""

    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class PathFit:
    """J constructs over p indicators, all standardised. Zero where the model has no arrow.

    `weights` (p, J): construct = standardised indicators @ weights, with variance 1. `loadings` (p, J):
    correlation of a construct with its indicators. `paths` (J, J): from row to column. `r_squared` (J,)
    of the constructs that paths lead to. `correlations` (J, J) of the constructs.
    """

    names: tuple[str, ...]
    weights: Floats
    loadings: Floats
    paths: Floats
    r_squared: Floats
    correlations: Floats
    iterations: int

    def path(self, source: str, target: str) -> float:
        return float(self.paths[self.names.index(source), self.names.index(target)])


@dataclass(frozen=True, slots=True)
class Replicates:
    """The same model on R samples: `weights`, `loadings` (R, p, J), `paths` (R, J, J).

    `usable` (R,): converged. Rows that are not usable hold no meaning.
    """

    weights: Floats
    loadings: Floats
    paths: Floats
    usable: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PathIntervals:
    """Percentile intervals over the usable replicates; lower and upper ends shaped as in `PathFit`."""

    paths: tuple[Floats, Floats]
    weights: tuple[Floats, Floats]
    loadings: tuple[Floats, Floats]
    usable: int


def estimate(data: Floats, constructs: Sequence[Construct], scheme: Scheme = "path") -> PathFit | NoFit:
    """The model on `data` (n, p); no missing values."""
    wrong = check(constructs, data.shape[1]) or check_data(data, constructs)
    if wrong:
        return wrong
    return estimate_from(np.corrcoef(data, rowvar=False).reshape(data.shape[1], -1), constructs, scheme)


def estimate_from(
    correlations: Floats, constructs: Sequence[Construct], scheme: Scheme = "path"
) -> PathFit | NoFit:
    """The model on the indicators' correlations (p, p)."""
    layout = _Layout.of(constructs, len(correlations))
    stack = correlations[None]
    weights, usable, iterations = _iterate(stack, layout, scheme)
    if not usable[0]:
        return NoFit(
            "no-convergence",
            f"the weights still moved after {ITERATIONS} rounds: too little in common to weigh by",
        )
    solution = _solution(stack, weights, layout)
    if any(_singular(solution.correlations[0], before) for before in layout.before) or any(
        _singular(correlations, block)
        for block, mode in zip(layout.blocks, layout.modes, strict=True)
        if mode == "B"
    ):
        return NoFit("collinear", "some predictors tell the same: their shares cannot be told apart")
    return PathFit(
        names=layout.names,
        weights=solution.weights[0],
        loadings=solution.loadings[0],
        paths=solution.paths[0],
        r_squared=np.einsum("kj,kj->j", solution.paths[0], solution.correlations[0]),
        correlations=solution.correlations[0],
        iterations=iterations,
    )


def refit(
    correlations: Floats, constructs: Sequence[Construct], fit: PathFit, scheme: Scheme = "path"
) -> Replicates:
    """The model on a stack of correlation matrices (R, p, p) of other samples of the same population.

    A construct whose loadings are nearer to the opposite of those of `fit` is turned round
    (construct-level sign change correction, Tenenhaus et al. 2005).
    """
    layout = _Layout.of(constructs, correlations.shape[1])
    weights, usable, _ = _iterate(correlations, layout, scheme)
    found = _solution(correlations, weights, layout)
    apart = np.abs(found.loadings - fit.loadings).sum(axis=1)
    opposite = np.abs(found.loadings + fit.loadings).sum(axis=1)
    sign = np.where(opposite < apart, -1.0, 1.0)
    return Replicates(
        found.weights * sign[:, None, :],
        found.loadings * sign[:, None, :],
        found.paths * sign[:, :, None] * sign[:, None, :],
        usable,
    )


def bootstrap(
    data: Floats,
    constructs: Sequence[Construct],
    fit: PathFit,
    *,
    replicates: int = 500,
    seed: int = 0,
    scheme: Scheme = "path",
    alpha: float = 0.05,
) -> PathIntervals | NoFit:
    """Percentile intervals at level 1 − α by drawing rows of `data` with replacement."""
    rng, n = np.random.default_rng(seed), len(data)
    drawn = (data[rng.integers(0, n, n)] for _ in range(replicates))
    samples = [np.corrcoef(rows, rowvar=False) for rows in drawn if not constant_columns(rows)]
    if len(samples) < replicates / 2:
        return NoFit("no-variance", "most samples hold an indicator that is the same for everybody")
    found = refit(np.stack(samples), constructs, fit, scheme)
    usable = int(found.usable.sum())
    if usable < replicates / 2:
        return NoFit("no-convergence", f"{usable} of {replicates} samples could be estimated")
    return PathIntervals(
        paths=percentiles(found.paths[found.usable], alpha),
        weights=percentiles(found.weights[found.usable], alpha),
        loadings=percentiles(found.loadings[found.usable], alpha),
        usable=usable,
    )


def percentiles(values: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Lower and upper ends over the first axis: of R values the (R + 1) · α / 2-th from either end (Davison
    and Hinkley 1997, §5.2), so that few samples make no interval too short.
    """
    low, high = np.quantile(values, [alpha / 2, 1 - alpha / 2], axis=0, method="weibull")
    return low, high


def check(constructs: Sequence[Construct], columns: int) -> NoFit | None:
    """What is wrong with the model whatever the data."""
    twice = [name for name, times in Counter(one.name for one in constructs).items() if times > 1]
    if twice:
        raise ValueError(f"constructs are named twice: {twice}")
    for one in constructs:
        if not one.indicators:
            return NoFit("no-indicators", f"{one.name} has no indicators")
        if max(one.indicators) >= columns or min(one.indicators) < 0:
            raise ValueError(f"{one.name} has columns outside the data")
    try:
        order = list(TopologicalSorter({one.name: one.after for one in constructs}).static_order())
    except CycleError as error:
        return NoFit("cyclic", "paths lead in a circle: " + " → ".join(error.args[1]))
    if len(order) != len(constructs):
        raise ValueError("a path begins at a construct that is not there")
    joined = {name for one in constructs if one.after for name in (one.name, *one.after)}
    alone = [one.name for one in constructs if one.name not in joined]
    return NoFit("no-path", f"no path leads to or from {', '.join(alone)}") if alone else None


def fewest(constructs: Sequence[Construct]) -> int:
    """Observations needed: ten for each arrow into the construct most arrows lead to."""
    arrows = [max(len(one.after), len(one.indicators) if one.mode == "B" else 1) for one in constructs]
    return OBSERVATIONS_PER_ARROW * max(arrows)


def check_data(data: Floats, constructs: Sequence[Construct]) -> NoFit | None:
    """What is wrong with the data."""
    needed = fewest(constructs)
    if len(data) < needed:
        return NoFit("too-few", f"{len(data)} observations; {needed} are needed")
    if not np.isfinite(data).all():
        return NoFit("not-finite", "a value is missing or infinite")
    flat = constant_columns(data)
    if flat:
        return NoFit("no-variance", f"the same for everybody: columns {flat}")
    return None


def constant_columns(data: Floats) -> list[int]:
    """Columns in which every observation is the same."""
    return [int(column) for column in np.flatnonzero(np.ptp(data, axis=0) == 0)]


def _singular(matrix: Floats, among: NDArray[np.intp]) -> bool:
    if len(among) < 2:
        return False
    return bool(np.linalg.eigvalsh(matrix[np.ix_(among, among)])[0] < _SINGULAR)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The model as index arrays."""

    names: tuple[str, ...]
    blocks: list[NDArray[np.intp]]
    modes: list[Mode]
    before: list[NDArray[np.intp]]
    behind: list[NDArray[np.intp]]
    mask: Floats
    """(p, J): 1 where an indicator belongs to a construct."""

    @classmethod
    def of(cls, constructs: Sequence[Construct], columns: int) -> _Layout:
        names = tuple(one.name for one in constructs)
        number = {name: index for index, name in enumerate(names)}
        blocks = [np.array(one.indicators, dtype=np.intp) for one in constructs]
        before = [np.array([number[name] for name in one.after], dtype=np.intp) for one in constructs]
        behind = [
            np.array([number[other.name] for other in constructs if name in other.after], dtype=np.intp)
            for name in names
        ]
        mask = np.zeros((columns, len(names)))
        for index, block in enumerate(blocks):
            mask[block, index] = 1.0
        return cls(names, blocks, [one.mode for one in constructs], before, behind, mask)


@dataclass(frozen=True, slots=True)
class _Solution:
    weights: Floats
    loadings: Floats
    paths: Floats
    correlations: Floats


def _iterate(stack: Floats, layout: _Layout, scheme: Scheme) -> tuple[Floats, NDArray[np.bool_], int]:
    """Weights (R, p, J), which samples converged (R,), and the rounds it took."""
    weights, alive = _normal(stack, np.broadcast_to(layout.mask, (len(stack), *layout.mask.shape)))
    rounds, change = 0, np.full(len(stack), np.inf)
    while (alive & (change >= TOLERANCE)).any() and rounds < ITERATIONS:
        between = np.swapaxes(weights, 1, 2) @ stack @ weights
        proxies = stack @ weights @ _inner(between, layout, scheme)
        moved, sound = _normal(stack, _outer(stack, proxies, layout))
        # A sign may turn from round to round; the construct is the same.
        change = np.abs(np.abs(moved) - np.abs(weights)).max(axis=(1, 2))
        weights, alive, rounds = moved, alive & sound, rounds + 1
    return weights, alive & (change < TOLERANCE), rounds


def _normal(stack: Floats, weights: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Weights of constructs with variance 1, and for which samples there are such. Those of a construct that
    has next to nothing to do with its neighbours come in tiny, which says nothing of their proportions.
    """
    largest = np.abs(weights).max(axis=1, keepdims=True)
    weights = weights / np.where(largest > 0, largest, 1.0)
    variance = np.einsum("rpj,rpq,rqj->rj", weights, stack, weights, optimize=True)
    sound = (variance > _SINGULAR).all(axis=1)
    return weights / np.sqrt(np.where(variance > _SINGULAR, variance, 1.0))[:, None, :], sound


def _inner(between: Floats, layout: _Layout, scheme: Scheme) -> Floats:
    """(R, J, J): column j holds what its neighbours count for in the inside estimate of construct j."""
    inner = np.zeros_like(between)
    for j, (before, behind) in enumerate(zip(layout.before, layout.behind, strict=True)):
        if scheme == "centroid":
            near = np.concatenate([before, behind])
            inner[:, near, j] = np.where(between[:, near, j] < 0, -1.0, 1.0)
        else:
            inner[:, behind, j] = between[:, behind, j]
            inner[:, before, j] = _regression(between, before, j)
    return inner


def _regression(between: Floats, before: NDArray[np.intp], j: int) -> Floats:
    """(R, k) standardised coefficients of construct j on those before it."""
    if not len(before):
        return np.zeros((len(between), 0))
    among = between[:, before[:, None], before[None, :]]
    return (np.linalg.pinv(among, hermitian=True) @ between[:, before, j, None])[..., 0]


def _outer(stack: Floats, proxies: Floats, layout: _Layout) -> Floats:
    """(R, p, J) weights, not yet scaled; `proxies`: covariances of indicators and inside estimates."""
    weights = np.zeros_like(proxies)
    for j, (block, mode) in enumerate(zip(layout.blocks, layout.modes, strict=True)):
        covariance = proxies[:, block, j]
        if mode == "B":
            among = stack[:, block[:, None], block[None, :]]
            covariance = (np.linalg.pinv(among, hermitian=True) @ covariance[..., None])[..., 0]
        weights[:, block, j] = covariance
    return weights


def _solution(stack: Floats, weights: Floats, layout: _Layout) -> _Solution:
    """Each construct turned the way most of its indicators point, and the paths by regression."""
    loadings = (stack @ weights) * layout.mask
    sign = np.where(loadings.sum(axis=1) < 0, -1.0, 1.0)[:, None, :]
    weights, loadings = weights * sign, loadings * sign
    between = np.swapaxes(weights, 1, 2) @ stack @ weights
    paths = np.zeros_like(between)
    for j, before in enumerate(layout.before):
        paths[:, before, j] = _regression(between, before, j)
    return _Solution(weights, loadings, paths, between)
