"""Scores of branches and managers: what customers did, less what their kind was to be expected to do.

A subject is a branch or a manager. Customers come in cells of case mix (campaign × segment × tier × channel).
The model is additive: outcome = cell + subject + chance. Cells and subjects are fitted together, so that two
subjects who differ in nothing but their customers have the same score, also when no cell has both of them.
A plain comparison with each cell's mean (indirect standardisation) has not that property: a subject who
serves most of a cell is compared with itself.

Scores are shrunk by a normal hierarchical model (Gelman et al., Bayesian Data Analysis, 3rd ed., section
5.4): how much subjects really differ (τ) is learned from all of them, with a flat prior and integrated over,
so that intervals cover also with few subjects. Ranks are ranks of draws from that posterior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from services.evaluation.domain.effect import Interval

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Standing = Literal["above", "below", "not_distinguishable"]

FEWEST_SUBJECTS = 3
"""With two, how much subjects differ cannot be told from how much these two do."""
MOST_SUBJECTS = 2_000
"""The covariance of their scores is a dense square of this side."""
DRAWS = 2_000
ALPHA = 0.05
_PRIOR_FREEDOM = 10.0
_GRID = 400
_WIDEST = 10.0
_LEAST_NOISE = 1e-12
"""Of the largest variance along any axis: below, it is rounding."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Outcomes by subject and cell, as parallel arrays (rows,); a pair occurs at most once.

    `subject` and `cell` count from 0; `customers` has a shared one by its share; `mean`, `m2` = Σ w(y − ȳ)²
    are of the outcome; `freedom` has the degrees of freedom of `m2`. `weight` is how much the mean is worth,
    σ² ⁄ its variance: the customers, but for `beside`.
    """

    subject: Integers
    cell: Integers
    customers: Floats
    mean: Floats
    m2: Floats
    freedom: Floats
    weight: Floats

    @property
    def totals(self) -> dict[int, tuple[float, float]]:
        """Customers and mean of each subject."""
        customers, weight = _sums(self.subject, self.customers), _sums(self.subject, self.weight)
        mean = _sums(self.subject, self.weight * self.mean) / np.where(weight > 0, weight, 1.0)
        return {int(at): (float(customers[at]), float(mean[at])) for at in np.unique(self.subject)}


def of_customers(subject: Integers, cell: Integers, customers: Floats, mean: Floats, m2: Floats) -> Observed:
    """Means of single customers' outcomes."""
    freedom = np.maximum(customers - 1, 0.0)
    return Observed(subject, cell, customers, mean, m2, freedom, weight=customers)


@dataclass(frozen=True, slots=True)
class NoScore:
    """Why there is no score."""

    code: Literal["no-data", "too-few-subjects", "too-many-subjects", "no-variance"]
    detail: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """Scores of those subjects who can be compared: they are connected by cells that they share.

    Arrays (K,): `subject` numbers as observed, ascending; `customers`, `weight` as observed, summed; `mean`;
    `score` = mean less what is expected of these customers, Σ weight · score = 0; `covariance` (K, K) of
    `score` about its unweighted mean.
    """

    subject: Integers
    customers: Floats
    weight: Floats
    mean: Floats
    score: Floats
    covariance: Floats

    @property
    def expected(self) -> Floats:
        return self.mean - self.score

    @property
    def error(self) -> Floats:
        """Standard errors of `score`."""
        share = self.weight / self.weight.sum()
        crossed = self.covariance @ share
        variance = np.diag(self.covariance) - 2 * crossed + share @ crossed
        error: Floats = np.sqrt(np.maximum(variance, 0.0))
        return error


@dataclass(frozen=True, slots=True)
class Shrunk:
    """`spread` is the median of τ; `value` (K,) posterior means, `draws` (S, K), less the weighted mean."""

    spread: float
    value: Floats
    draws: Floats

    def intervals(self, alpha: float) -> list[Interval]:
        low, high = np.quantile(self.draws, (alpha / 2, 1 - alpha / 2), axis=0)
        return [(float(start), float(end)) for start, end in zip(low, high, strict=True)]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ranks from 1, the best, with the ends of their intervals (K,), and groups from 1.

    Two neighbouring groups are told apart: no rank interval of one reaches into an interval of the other.
    One group alone means that nobody can be told from the rest: then there is no order.
    """

    low: Integers
    high: Integers
    group: Integers

    @property
    def groups(self) -> int:
        return int(self.group.max()) if self.group.size else 0

    def alone(self, place: int) -> bool:
        """Whether a rank may be named: the subject is the only one of its group."""
        return bool((self.group == self.group[place]).sum() == 1)


@dataclass(frozen=True, slots=True)
class Compared:
    """All that is known of one indicator. `large` (K,) marks who has customers enough to be compared; the
    ranking is of these alone, in their order. The others help to tell what is to be expected.
    """

    fitted: Fitted
    shrunk: Shrunk
    intervals: list[Interval]
    large: NDArray[np.bool_]
    ranking: Ranking


def compare(
    observed: Observed, minimum: int, better: int, seed: int, alpha: float = ALPHA
) -> Compared | NoScore:
    """Fit, shrink, rank those with `minimum` customers or more."""
    fitted = fit(observed)
    if isinstance(fitted, NoScore):
        return fitted
    large = fitted.customers >= minimum
    if large.sum() < FEWEST_SUBJECTS:
        detail = f"{large.sum()} with {minimum} customers or more; {FEWEST_SUBJECTS} are needed"
        return NoScore("too-few-subjects", detail)
    shrunk = shrink(fitted, seed)
    ranking = rank(shrunk.draws[:, large], better, alpha)
    return Compared(fitted, shrunk, shrunk.intervals(alpha), large, ranking)


def beside(treated: Observed, held_out: Observed) -> Observed:
    """Treated less held out in each pair of subject and cell that has both. `customers` are the treated; the
    weight is n·m ⁄ (n + m), as σ²(1⁄n + 1⁄m) is the variance.
    """
    cells = 1 + int(max(treated.cell.max(initial=0), held_out.cell.max(initial=0)))
    keys, others = (each.subject * cells + each.cell for each in (treated, held_out))
    _, one, other = np.intersect1d(keys, others, assume_unique=True, return_indices=True)
    n, m = treated.weight[one], held_out.weight[other]
    return Observed(
        treated.subject[one],
        treated.cell[one],
        treated.customers[one],
        treated.mean[one] - held_out.mean[other],
        treated.m2[one] + held_out.m2[other],
        treated.freedom[one] + held_out.freedom[other],
        weight=n * m / (n + m),
    )


def fit(observed: Observed) -> Fitted | NoScore:
    """Subjects and cells together, by least squares weighted with customers; the variance of the outcome is
    each cell's own, moderated towards that of all cells.
    """
    if observed.subject.size == 0:
        return NoScore("no-data", "nothing was observed")
    kept = _connected(observed)
    subjects, subject = np.unique(observed.subject[kept], return_inverse=True)
    size = subjects.size
    if size < FEWEST_SUBJECTS:
        return NoScore("too-few-subjects", f"{size} with customers alike; {FEWEST_SUBJECTS} are needed")
    if size > MOST_SUBJECTS:
        return NoScore("too-many-subjects", f"{size} at once; at most {MOST_SUBJECTS} are compared")
    _, cell = np.unique(observed.cell[kept], return_inverse=True)
    weight, mean = observed.weight[kept], observed.mean[kept]
    variance = _variances(cell, observed.m2[kept], observed.freedom[kept])
    if variance is None:
        return NoScore("no-variance", "the outcome is the same for everybody, so chance cannot be judged")
    given = sparse.csr_array((weight, (subject, cell)), shape=(size, int(cell.max()) + 1))
    in_cell = _sums(cell, weight)
    means = _sums(cell, weight * mean) / in_cell
    excess = _sums(subject, weight * (mean - means[cell]))
    inverse = _inverse(_laplacian(given, np.ones_like(variance), in_cell))
    noise = _laplacian(given, variance, in_cell)
    total = _sums(subject, weight)
    score = inverse @ excess
    return Fitted(
        subject=subjects.astype(np.intp),
        customers=_sums(subject, observed.customers[kept]),
        weight=total,
        mean=_sums(subject, weight * mean) / total,
        score=score - score @ total / total.sum(),
        covariance=inverse @ noise @ inverse,
    )


def _connected(observed: Observed) -> NDArray[np.bool_]:
    """Rows of the largest set of subjects that cells connect, by customers."""
    subjects, cells = int(observed.subject.max()) + 1, int(observed.cell.max()) + 1
    ends = (observed.subject, observed.cell + subjects)
    graph = sparse.coo_array((np.ones(observed.subject.size), ends), shape=(subjects + cells,) * 2)
    _, label = connected_components(graph, directed=False)
    of_row = label[observed.subject].astype(np.intp)
    largest = _sums(of_row, observed.weight).argmax()
    found: NDArray[np.bool_] = of_row == largest
    return found


def _variances(cell: Integers, m2: Floats, freedom: Floats) -> Floats | None:
    """Of the outcome in each cell: one where nothing varied has some of all cells' variance all the same."""
    everywhere = m2.sum() / max(freedom.sum(), 1.0)
    if everywhere <= 0:
        return None
    sums, known = _sums(cell, m2), _sums(cell, freedom)
    moderated: Floats = (sums + _PRIOR_FREEDOM * everywhere) / (known + _PRIOR_FREEDOM)
    return moderated


def _sums(key: Integers, values: Floats) -> Floats:
    """Of `values` by key, from 0 to the largest."""
    return np.bincount(key, values).astype(np.float64)


def _laplacian(given: sparse.csr_array, factor: Floats, in_cell: Floats) -> Floats:
    """Σ_c f_c [diag(n_c) − n_c n_cᵀ / N_c]: the normal matrix once the cells' own means are eliminated."""
    crossed = (given * (factor / in_cell)) @ given.T
    matrix = np.diag(given @ factor) - np.asarray(crossed.todense())
    symmetric: Floats = (matrix + matrix.T) / 2
    return symmetric


def _inverse(laplacian: Floats) -> Floats:
    """Pseudo-inverse of a Laplacian of a connected graph: only a common shift is in its null space."""
    size, scale = len(laplacian), float(np.trace(laplacian)) / len(laplacian)
    shift = scale / size
    inverse = np.linalg.inv(laplacian + shift) - 1 / (scale * size)
    return inverse.astype(np.float64)


def shrink(fitted: Fitted, seed: int, draws: int = DRAWS) -> Shrunk:
    """Posterior of the scores given how much subjects differ, which is drawn too."""
    size = fitted.score.size
    noise, axes = np.linalg.eigh(fitted.covariance + 1 / size * _above(fitted.covariance))
    # The common shift was lifted above every other axis: it comes last and says nothing.
    noise, axes = np.maximum(noise[:-1], noise[-2] * _LEAST_NOISE), axes[:, :-1]
    along = axes.T @ fitted.score
    grid = np.linspace(0.0, _WIDEST * np.sqrt(np.mean(along**2)), _GRID + 1)[1:] ** 2
    spread = grid[:, None] + noise
    log = -0.5 * (np.log(spread) + along**2 / spread).sum(axis=1)
    chance = np.exp(log - log.max())
    chance /= chance.sum()
    share = fitted.weight / fitted.weight.sum()
    kept = (chance[:, None] * (grid[:, None] / spread)).sum(axis=0)
    value = axes @ (kept * along)
    random = np.random.default_rng(seed)
    drawn = grid[random.choice(_GRID, size=draws, p=chance)][:, None]
    pull = drawn / (drawn + noise)
    steps = pull * along + np.sqrt(pull * noise) * random.standard_normal((draws, noise.size))
    ways = steps @ axes.T
    return Shrunk(
        spread=float(np.sqrt(grid[np.searchsorted(np.cumsum(chance), 0.5)])),
        value=value - value @ share,
        draws=ways - (ways @ share)[:, None],
    )


def _above(covariance: Floats) -> float:
    return 2 * float(np.trace(covariance)) + 1e-300


def rank(draws: Floats, better: int, alpha: float) -> Ranking:
    """Rank intervals at level 1 − α of each column of `draws` (S, K); `better` is 1 when more is better."""
    places = (-better * draws).argsort(axis=1).argsort(axis=1) + 1
    low = np.quantile(places, alpha / 2, axis=0, method="lower").astype(np.intp)
    high = np.quantile(places, 1 - alpha / 2, axis=0, method="higher").astype(np.intp)
    return Ranking(low, high, _groups(low, high))


def _groups(low: Integers, high: Integers) -> Integers:
    """Cut where every interval before ends before every one after begins."""
    order = np.lexsort((high, low))
    reached = np.maximum.accumulate(high[order])
    cuts = low[order][1:] > reached[:-1]
    group = np.empty_like(low)
    group[order] = np.concatenate(([1], 1 + np.cumsum(cuts))) if low.size else 1
    return group


def standing(interval: Interval, better: int) -> Standing:
    """Beside a typical subject with the same customers."""
    low, high = (better * end for end in interval)
    if min(low, high) > 0:
        return "above"
    return "below" if max(low, high) < 0 else "not_distinguishable"
