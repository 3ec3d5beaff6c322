"""Whether an effect may be read now, by the rule that was registered before anything was known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.sequential import (
    SMALLEST_STEP,
    always_valid_p,
    confidence_sequence,
    spending_bounds,
)
from shared.contracts.stopping import AlwaysValidStop, FixedStop, GroupSequentialStop

if TYPE_CHECKING:
    from collections.abc import Sequence

Stop = FixedStop | AlwaysValidStop | GroupSequentialStop


@dataclass(frozen=True, slots=True)
class Look:
    """A planned look that was taken: its number from 1, the share of the information it came at."""

    number: int
    share: float
    crossed: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the campaign stands: `share` of the information is there; `final` when nobody else will be
    assigned and every outcome window has passed. `known` says whether `share` is one of a number of customers
    that will not grow. `earlier` looks in their order.
    """

    share: float
    final: bool
    known: bool = True
    earlier: Sequence[Look] = ()


@dataclass(frozen=True, slots=True)
class Ruling:
    """`effect` is the one to judge by: its interval and p-value are the rule's. `bound` on |z|, None when the
    rule gives none at this moment.
    """

    rule: Literal["fixed", "always_valid", "group_sequential"]
    final: bool
    share: float
    effect: Effect | NoEffect
    crossed: bool = False
    look: int | None = None
    bound: float | None = None

    @property
    def readable(self) -> bool:
        return self.final or self.crossed


def rule(stop: Stop, effect: Effect | NoEffect, moment: Moment, alpha: float) -> Ruling:
    """Obey `stop`. An effect that cannot be computed, or has no standard error, crosses nothing."""
    if isinstance(effect, NoEffect) or effect.standard_error <= 0 or isinstance(stop, FixedStop):
        return Ruling(stop.kind, moment.final, moment.share, effect)
    if isinstance(stop, AlwaysValidStop):
        return _always_valid(stop, effect, moment, alpha)
    return _group_sequential(stop, effect, moment, alpha)


def _always_valid(stop: AlwaysValidStop, effect: Effect, moment: Moment, alpha: float) -> Ruling:
    n, error = effect.n + effect.n_control, effect.standard_error
    interval = confidence_sequence(effect.difference, error, n, alpha, stop.tuned_for)
    judged = replace(
        effect,
        interval=interval,
        p_value=always_valid_p(effect.difference, error, n, stop.tuned_for),
    )
    return Ruling(
        stop.kind,
        moment.final,
        moment.share,
        judged,
        crossed=not interval[0] <= 0 <= interval[1],
        bound=(interval[1] - interval[0]) / 2 / error,
    )


def _group_sequential(stop: GroupSequentialStop, effect: Effect, moment: Moment, alpha: float) -> Ruling:
    """A look is taken when its planned share is reached, once each; whoever looks in between sees no bound.

    Bounds are those of the shares at which looks really came. What is left of α is spent at the last.
    """
    stopped = any(look.crossed for look in moment.earlier)
    waiting = Ruling(stop.kind, moment.final, moment.share, effect, crossed=stopped)
    number = _reached(stop, moment)
    if number is None:
        return waiting
    share = 1.0 if moment.final else min(moment.share, 1.0)
    taken = [look.share for look in moment.earlier if look.share <= share - SMALLEST_STEP]
    bound = spending_bounds([*taken, share], alpha, stop.spending)[-1]
    margin = bound * effect.standard_error
    judged = replace(effect, interval=(effect.difference - margin, effect.difference + margin))
    crossed = abs(effect.difference) > margin
    return replace(waiting, effect=judged, share=share, crossed=crossed or stopped, look=number, bound=bound)


def _reached(stop: GroupSequentialStop, moment: Moment) -> int | None:
    """Number of the planned look that is due now; None between looks."""
    if moment.final:
        return len(stop.looks)
    if not moment.known:
        return None
    number = sum(planned <= moment.share + 1e-9 for planned in stop.looks)
    last = max((look.number for look in moment.earlier), default=0)
    return number if number > last else None
