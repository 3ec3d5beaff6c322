"""Who responds to being contacted: a T-learner, judged on customers it has not seen.

Two models of the outcome, one of the treated and one of those held out; the difference of what they expect
is the expected effect on a customer (Künzel, Sekhon, Bickel and Yu 2019). Scores are cross-fitted: nobody's
comes from a model that has seen them. Judged is by the doubly robust score of each customer,
ψ = μ₁ − μ₀ + T(y − μ₁)/p − (1 − T)(y − μ₀)/(1 − p), of which the mean over any group chosen by score is that
group's effect, whether the models are right or wrong (Robins, Rotnitzky and Zhao 1994).

The curve Q(φ) is the effect per customer of everybody when the share φ with the highest scores is contacted
and the others are not; AUUC = ∫Q over 0…1, and the Qini coefficient is AUUC − Q(1)/2: the area between the
curve and that of contacting as many by lot (Radcliffe 2007; Gutierrez and Gérardy 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from services.evaluation.domain.effect import NoEffect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from services.evaluation.domain.effect import Interval

    Floats = NDArray[np.float64]

FOLDS = 5
LEAST = 500
"""Customers treated, and as many held out: with fewer, trees find nothing but chance."""
POINTS = 20
GROUPS = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """n customers: `features` (n, k) as known before assignment, of which the first `categories` columns
    hold codes from 0; `treated` (n,); `outcome` (n,) in the metric's unit; `propensity` (n,) of treatment.
    """

    features: Floats
    categories: int
    treated: NDArray[np.bool_]
    outcome: Floats
    propensity: Floats
    proportion: bool

    def taken(self, which: NDArray[np.bool_]) -> Trial:
        return Trial(
            self.features[which],
            self.categories,
            self.treated[which],
            self.outcome[which],
            self.propensity[which],
            self.proportion,
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """Of each customer: the effect that is expected, and the doubly robust score it is judged by."""

    expected: Floats
    robust: Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    value: float
    interval: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class Group:
    """A tenth of the customers by score, the highest first."""

    n: int
    expected: float
    effect: Estimate


@dataclass(frozen=True, slots=True)
class Uplift:
    """`curve` of (share contacted, effect per customer of everybody), and the interval of each of its points
    by itself. `everybody` is the effect per customer when all are contacted; `chosen` when only those are of
    whom an effect in the wanted direction is expected, `share` of all. On the same customers, more is better:
    `gain` is what choosing adds to contacting all, `over_lot` to contacting as many by lot.
    """

    n: int
    n_control: int
    curve: list[tuple[float, float]]
    band: list[Interval]
    auuc: float
    qini: Estimate
    groups: list[Group]
    share: float
    everybody: Estimate
    chosen: Estimate
    gain: Estimate
    over_lot: Estimate
    verdict: Literal["differs", "no_evidence"]


def model(
    trial: Trial, better: int, alpha: float, seed: int, progress: Callable[[float], None] = lambda _: None
) -> Uplift | NoEffect:
    """Learn and judge; `better` is −1 when less of the outcome is wanted. The same again gives the same."""
    n, held_out = int(trial.treated.sum()), int((~trial.treated).sum())
    if min(n, held_out) < LEAST:
        detail = (
            f"{n} treated and {held_out} held out have lived through their window; {LEAST} of each are needed"
        )
        return NoEffect("too-few", detail)
    if np.ptp(trial.outcome) == 0:
        return NoEffect("no-variance", "the outcome is the same for everybody")
    return judge(trial, scores(trial, seed, progress), better, alpha)


def scores(trial: Trial, seed: int, progress: Callable[[float], None] = lambda _: None) -> Scores:
    """Cross-fitted over folds drawn within treated and held out."""
    n = len(trial.outcome)
    with_treatment, without = np.zeros(n), np.zeros(n)
    for number, held in enumerate(_folds(trial.treated, seed)):
        rest = trial.taken(~held)
        asked = trial.features[held]
        # On cores that others use too, the threads of one tree wait for each other longest.
        with threadpool_limits(1):
            with_treatment[held] = _expected(rest, rest.treated, asked, seed)
            without[held] = _expected(rest, ~rest.treated, asked, seed)
        progress((number + 1) / FOLDS)
    t, p, y = trial.treated, trial.propensity, trial.outcome
    robust = with_treatment - without
    robust = robust + np.where(t, (y - with_treatment) / p, -(y - without) / (1 - p))
    return Scores(with_treatment - without, robust)


def _folds(treated: NDArray[np.bool_], seed: int) -> Iterator[NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    fold = np.empty(len(treated), dtype=np.int64)
    for group in (treated, ~treated):
        size = int(group.sum())
        fold[group] = rng.permutation(np.arange(size) % FOLDS)
    return (fold == number for number in range(FOLDS))


def _expected(rest: Trial, group: NDArray[np.bool_], asked: Floats, seed: int) -> Floats:
    x, y = rest.features[group], rest.outcome[group]
    if np.ptp(y) == 0:
        return np.full(len(asked), y[0])
    # Few leaves that are well filled: the difference of two models doubles what each makes of chance.
    how = {
        "max_iter": 60,
        "learning_rate": 0.08,
        "max_leaf_nodes": 8,
        "min_samples_leaf": max(20, len(y) // 100),
        "l2_regularization": 1.0,
        "categorical_features": list(range(rest.categories)) or None,
        "random_state": seed,
    }
    if rest.proportion:
        likely: Floats = HistGradientBoostingClassifier(**how).fit(x, y > 0).predict_proba(asked)[:, 1]
        return likely
    predicted: Floats = HistGradientBoostingRegressor(**how).fit(x, y).predict(asked)
    return predicted


def judge(trial: Trial, found: Scores, better: int, alpha: float) -> Uplift:
    """What choosing by score is worth, on customers whose score comes from a model that has not seen them."""
    n = len(found.robust)
    order = np.argsort(-better * found.expected, kind="stable")
    robust = found.robust[order]
    curve = np.concatenate([[0.0], np.cumsum(robust) / n])
    at = np.linspace(0, n, POINTS + 1).round().astype(np.int64)
    # ∫Q is a mean of ψ weighted by the share of customers that come after: so are its errors those of a mean.
    after = (n - np.arange(n) - 0.5) / n
    wanted = better * found.expected > 0
    qini = _mean((after - 0.5) * robust, alpha)
    chosen, everybody = np.where(wanted, found.robust, 0.0), found.robust
    gain = _mean(better * (chosen - everybody), alpha)
    # The covariance of being chosen and ψ: the effect of the chosen less that of as many of everybody.
    over_lot = _mean(better * (wanted - wanted.mean()) * (everybody - everybody.mean()), alpha)
    return Uplift(
        n=int(trial.treated.sum()),
        n_control=int((~trial.treated).sum()),
        curve=[(float(i / n), float(curve[i])) for i in at],
        band=[_mean(np.where(np.arange(n) < i, robust, 0.0), alpha).interval for i in at],
        auuc=float(np.mean(after * robust)),
        qini=qini,
        groups=[_group(found, part, alpha) for part in np.array_split(order, GROUPS)],
        share=float(wanted.mean()),
        everybody=_mean(everybody, alpha),
        chosen=_mean(chosen, alpha),
        gain=gain,
        over_lot=over_lot,
        verdict="differs" if min(end * better for end in qini.interval) > 0 else "no_evidence",
    )


def _group(found: Scores, members: NDArray[np.int64], alpha: float) -> Group:
    return Group(len(members), float(found.expected[members].mean()), _mean(found.robust[members], alpha))


def _mean(values: Floats, alpha: float) -> Estimate:
    n = len(values)
    mean, error = float(values.mean()), float(values.std(ddof=1)) / sqrt(n)
    margin = float(stats.t.ppf(1 - alpha / 2, n - 1)) * error
    p_value = float(2 * stats.t.sf(abs(mean) / error, n - 1)) if error > 0 else 1.0
    return Estimate(mean, (mean - margin, mean + margin), p_value)
