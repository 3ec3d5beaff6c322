"""Policies for the next round that a campaign's own customers can judge, each valued on held-out folds.

Four kinds: aim at fewer cells, say one version of the script only, use one channel only, or shift the shares
of the arms. Each is learned from the other folds the way it will be learned for the next round, and compared
with today's policy, under which every customer of the audience is treated by the shares of the arms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from services.evaluation.domain.allocation import ArmMoments, allocate
from services.evaluation.domain.breakdown import HOLD_OUT, SMALLEST_CELL
from services.evaluation.domain.effect import Interval, NoEffect
from services.evaluation.domain.heterogeneity import Heterogeneity, heterogeneity
from services.evaluation.domain.policy_value import Gain, Statistics, Weighted, gain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from services.evaluation.domain.policy_value import Numbers
    from services.evaluation.domain.scripts import ScriptArm

Action = Literal["re_target", "re_script", "re_channel", "re_allocate"]
Outcome = Literal["act", "test_next", "no_evidence"]
Dimension = Literal["segment", "branch", "tier"]
"""Whom the next campaign can aim at: by its audience, by its organisations, by a segment made for it."""

REACHABLE = 20
"""How many times the customers of this round a next one is taken to have at most."""
_FOLD_DRAWS = 4_000
_UNTOLD = ""
"""The cell of customers of whom nobody told: no next campaign can aim at them, or leave them out."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A campaign as something to learn from.

    `by` maps a dimension to its statistics, outcomes centred on the campaign's mean; `shares` are those
    registered, by arm, the hold-out under ''. `better` is 1 when more is better, −1 when less is. `scheme` is
    the one whose tiers `by` tells apart.
    """

    by: Mapping[Dimension, Statistics]
    arms: Sequence[ScriptArm]
    shares: Mapping[str, float]
    better: int
    alpha: float
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One policy that was looked at.

    `cells` of `dimension` are those to aim at (re_target); `shares` those of the arms for the next round, of
    all customers with the hold-out as it was (the others). `gain` is over doing the same again, per customer
    of the audience; `interval` and `p_value` are corrected for the number of policies looked at (Bonferroni).
    `lift` is over leaving them alone, per customer treated, or says why it is not known. `needed` customers
    would find the gain seen. `arms` are the outcomes that shares were allocated by (re_allocate). `scheme` is
    the one whose tiers `cells` are.
    """

    action: Action
    dimension: Dimension | None
    cells: tuple[str, ...]
    shares: Mapping[str, float]
    gain: Gain
    interval: Interval
    p_value: float
    lift: Gain | NoEffect
    outcome: Outcome
    needed: int | None
    arms: tuple[ArmMoments, ...] = ()
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class _Proposal:
    """How a policy is learned, and what it comes to when learned from everybody."""

    action: Action
    dimension: Dimension
    learn: Callable[[Weighted], Numbers]
    """(cells, arms), or (arms,) for all cells alike."""


def candidates(trial: Trial) -> list[Candidate]:
    """All policies looked at for which a value could be computed, in a fixed order."""
    if not trial.by:
        return []
    proposals = [*_targeting(trial), *_between_arms(trial)]
    found = (_value(trial, proposal, len(proposals)) for proposal in proposals)
    return [candidate for candidate in found if candidate is not None]


def best(found: Sequence[Candidate], better: int, alpha: float) -> Candidate | None:
    """The largest gain among those to act on; none does harm to those it treats."""
    sure = [
        candidate
        for candidate in found
        if candidate.outcome == "act"
        and (isinstance(candidate.lift, NoEffect) or _beyond(candidate.lift.interval(alpha), better))
    ]
    return max(sure, key=lambda candidate: better * candidate.gain.value, default=None)


def _value(trial: Trial, proposal: _Proposal, looked_at: int) -> Candidate | None:
    of = trial.by[proposal.dimension]
    today = _today(trial, of)
    learn = proposal.learn
    shape = (len(of.cells), len(of.arms))
    policies = np.stack([np.broadcast_to(learn(of.without(fold)), shape) for fold in range(of.folds)])
    found = gain(of, policies, today)
    if isinstance(found, NoEffect):
        return None
    final = np.broadcast_to(learn(of.without(None)), shape)
    treated = final[:, _hold_out(of)] < 1 if HOLD_OUT in of.arms else np.ones(len(of.cells), bool)
    interval = found.interval(trial.alpha / looked_at)
    targets = proposal.action == "re_target"
    aimed = [cell for cell, kept in zip(of.cells, treated, strict=True) if kept and cell != _UNTOLD]
    return Candidate(
        action=proposal.action,
        dimension=proposal.dimension if targets else None,
        cells=tuple(aimed) if targets else (),
        shares={} if targets else _shares(trial, of, final[0]),
        gain=found,
        interval=interval,
        p_value=min(1.0, looked_at * found.p_value),
        lift=_lift(of, policies),
        outcome=_outcome(trial, found, interval, looked_at, pointless=targets and not aimed),
        needed=found.needed(trial.better, trial.alpha / looked_at),
        arms=_known(of, of.without(None)) if proposal.action == "re_allocate" else (),
        scheme=trial.scheme if targets and proposal.dimension == "tier" else None,
    )


def _outcome(trial: Trial, found: Gain, interval: Interval, looked_at: int, *, pointless: bool) -> Outcome:
    if pointless:
        return "no_evidence"
    if _beyond(interval, trial.better):
        return "act"
    needed = found.needed(trial.better, trial.alpha / looked_at)
    return "test_next" if needed is not None and needed <= REACHABLE * found.n else "no_evidence"


def _beyond(interval: Interval, better: int) -> bool:
    return min(better * end for end in interval) > 0


def _lift(of: Statistics, policies: Numbers) -> Gain | NoEffect:
    """Over leaving alone, per customer whom the policy treats."""
    if HOLD_OUT not in of.arms:
        return NoEffect("too-few", "nobody was held out")
    alone = np.zeros(len(of.arms))
    alone[_hold_out(of)] = 1.0
    return gain(of, policies, alone, within=policies[:, :, _hold_out(of)] < 1)


def _hold_out(of: Statistics) -> int:
    return of.arms.index(HOLD_OUT)


def _today(trial: Trial, of: Statistics) -> Numbers:
    """Every customer treated, by the shares of the arms."""
    shares = np.array([trial.shares.get(arm, 0.0) if arm != HOLD_OUT else 0.0 for arm in of.arms])
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def _shares(trial: Trial, of: Statistics, policy: Numbers) -> dict[str, float]:
    treated = 1 - trial.shares.get(HOLD_OUT, 0.0)
    return {
        arm: float(part) * treated
        for arm, part in zip(of.arms, policy, strict=True)
        if arm != HOLD_OUT and part > 0
    }


# ── whom to aim at ────────────────────────────────────────────────────────────────────────────────────────


def _targeting(trial: Trial) -> list[_Proposal]:
    """One per dimension of at least two cells, where somebody was held out."""
    return [
        _Proposal("re_target", dimension, partial(_aimed, trial, of))
        for dimension, of in trial.by.items()
        if HOLD_OUT in of.arms and len(of.cells) > 1
    ]


def _aimed(trial: Trial, of: Statistics, seen: Weighted) -> Numbers:
    """Leave alone the cells whose shrunken effect is not the better one; small ones go on as they were, and
    so do those of whom nothing is told.
    """
    today, alone = _today(trial, of), _hold_out(of)
    effect, error, large = _cell_effects(seen, today, alone)
    large &= np.array([cell != _UNTOLD for cell in of.cells])
    policy = np.tile(today, (len(of.cells), 1))
    if large.sum() < 2:
        return policy
    found = heterogeneity(effect[large].tolist(), error[large].tolist(), trial.alpha)
    if isinstance(found, Heterogeneity):
        shrunk = np.array([cell.value for cell in found.cells])
        dropped = np.flatnonzero(large)[trial.better * shrunk <= 0]
        policy[dropped] = 0.0
        policy[dropped, alone] = 1.0
    return policy


def _cell_effects(seen: Weighted, today: Numbers, alone: int) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """Effect of today's policy over leaving alone by cell, its standard error, and where both are known."""
    used = today > 0
    variance = seen.m2 / np.maximum(seen.n - 1, 1) / np.maximum(seen.n, 1)
    effect = seen.mean @ today - seen.mean[:, alone]
    error = np.sqrt(variance @ today**2 + variance[:, alone])
    enough = (seen.n[:, used] >= SMALLEST_CELL).all(axis=1) & (seen.n[:, alone] >= SMALLEST_CELL)
    return effect, error, enough & (error > 0)


# ── which arm ─────────────────────────────────────────────────────────────────────────────────────────────


def _between_arms(trial: Trial) -> list[_Proposal]:
    """Best channel, best script, other shares; where scripts go with channels, only the channel."""
    dimension, of = next(iter(trial.by.items()))
    known = [arm for arm in trial.arms if arm.key in of.arms]
    if len(known) < 2:
        return []
    channels, scripts = _grouped(of, known, "channel"), _grouped(of, known, "script")
    proposals = []
    if len(channels) > 1:
        proposals.append(_best_of(trial, dimension, "re_channel", channels))
    if len(scripts) > 1 and scripts != channels:
        proposals.append(_best_of(trial, dimension, "re_script", scripts))
    proposals.append(_Proposal("re_allocate", dimension, partial(_reallocated, trial, of)))
    return proposals


def _grouped(
    of: Statistics, arms: Sequence[ScriptArm], trait: Literal["channel", "script"]
) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for arm in sorted(arms, key=lambda arm: of.arms.index(arm.key)):
        groups.setdefault(getattr(arm, trait), []).append(of.arms.index(arm.key))
    return list(groups.values())


def _best_of(trial: Trial, dimension: Dimension, action: Action, groups: list[list[int]]) -> _Proposal:
    today = _today(trial, trial.by[dimension])

    def learn(seen: Weighted) -> Numbers:
        arms = seen.over_first()
        n, mean = arms.n, arms.mean
        chosen = max(
            (group for group in groups if n[group].sum() > 0),
            key=lambda group: trial.better * float(mean[group] @ today[group]) / float(today[group].sum()),
            default=None,
        )
        if chosen is None:
            return today
        policy = np.zeros_like(today)
        policy[chosen] = today[chosen] / today[chosen].sum()
        return policy

    return _Proposal(action, dimension, learn)


def _reallocated(trial: Trial, of: Statistics, seen: Weighted) -> Numbers:
    """Shares by top-two Thompson; as they are where an arm is not known."""
    today, arms = _today(trial, of), _known(of, seen)
    if any(arm.n < 2 for arm in arms) or len(arms) < np.count_nonzero(today):
        return today
    policy = np.zeros_like(today)
    for each in allocate(arms, "mean", trial.better, hold_out=0.0, draws=_FOLD_DRAWS):
        policy[of.arms.index(each.arm)] = each.share
    return policy


def _known(of: Statistics, seen: Weighted) -> tuple[ArmMoments, ...]:
    """What is known of each arm, over all cells."""
    arms = seen.over_first()
    return tuple(
        ArmMoments(arm, int(arms.n[index]), float(arms.mean[index]), float(arms.m2[index]))
        for index, arm in enumerate(of.arms)
        if arm != HOLD_OUT
    )
