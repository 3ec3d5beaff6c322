"""One question about sizes, answered: how many for this effect, or what effect for so many."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import TYPE_CHECKING

from scipy import stats

from services.evaluation.domain.power import (
    LARGEST,
    design_effect,
    detectable_proportion,
    minimum_detectable,
    non_inferior_margin,
    non_inferior_proportions_in_all,
    proportions_in_all,
    ratio_deviation,
    units_in_all,
)
from services.evaluation.domain.sequential import confidence_sequence, spending_bounds
from shared.contracts.evaluation.sample_size import SampleSize, SampleSizeRequest
from shared.contracts.stopping import AlwaysValidStop, GroupSequentialStop

if TYPE_CHECKING:
    from collections.abc import Iterator

FEWEST_CLUSTERS = 4
_METHODS = {
    ("proportion", False): "score test of two proportions (Fleiss, Levin and Paik), normal approximation",
    ("proportion", True): "non-inferiority of two proportions (Blackwelder), normal approximation",
    ("mean", False): "t test by the non-central t",
    ("mean", True): "non-inferiority by the one-sided non-central t",
    ("ratio", False): "ratio of means by the delta method, t test by the non-central t",
    ("ratio", True): "ratio of means by the delta method, non-inferiority by the one-sided non-central t",
}
_READ = {
    "fixed": "",
    "always_valid": "; at the end, by the always-valid interval",
    "group_sequential": "; at the last look, by its bound",
}


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """Which field makes the question one without an answer, and why."""

    pointer: str
    detail: str


def question_errors(asked: SampleSizeRequest) -> list[Unanswerable]:
    """Everything that does not fit together in the question."""
    of_kind = _of_proportion(asked) if asked.kind == "proportion" else _of_mean(asked)
    return [*_of_goal(asked), *_of_stop(asked), *of_kind]


def _of_goal(asked: SampleSizeRequest) -> Iterator[Unanswerable]:
    if (asked.effect is None) == (asked.units is None):
        yield Unanswerable("/effect", "give either `effect` or `units`, and learn the other")
    if asked.effect == 0:
        yield Unanswerable("/effect", "nothing can be found that is not there")
    if asked.goal == "non_inferiority" and asked.effect is not None and asked.effect < 0:
        yield Unanswerable("/effect", "is the margin: by how much it may get worse, above 0")
    if (asked.kind == "ratio") != (asked.denominator is not None):
        yield Unanswerable("/denominator", "belongs to a ratio, and a ratio needs it")
    if asked.explained and asked.kind != "mean":
        yield Unanswerable("/explained", "only means are adjusted by what was before")
    if asked.clusters and asked.units is not None and asked.units / asked.clusters.size < FEWEST_CLUSTERS:
        yield Unanswerable("/units", f"make fewer than {FEWEST_CLUSTERS} clusters")


def _of_stop(asked: SampleSizeRequest) -> Iterator[Unanswerable]:
    if asked.stop.kind != "fixed" and asked.goal == "non_inferiority":
        yield Unanswerable("/stop", "has no say: margins are judged when all windows have closed")
    if isinstance(asked.stop, AlwaysValidStop):
        if asked.units is None and asked.effect is not None:
            yield Unanswerable("/units", "are needed: how wide an always-valid interval is depends on them")
        if asked.clusters:
            yield Unanswerable("/clusters", "do not go with an always-valid rule, which counts customers")


def _of_proportion(asked: SampleSizeRequest) -> Iterator[Unanswerable]:
    if asked.deviation is not None:
        yield Unanswerable("/deviation", "follows from the proportion")
    if asked.base is None or not 0 <= asked.base <= 1:
        yield Unanswerable("/base", "is needed: the proportion without treatment, between 0 and 1")
    elif asked.goal == "non_inferiority":
        if not 0 < asked.base < 1:
            yield Unanswerable("/base", "a proportion of 0 or 1 has no variance to judge a margin by")
    elif asked.effect is not None and not 0 <= asked.base + asked.effect <= 1:
        yield Unanswerable("/effect", "makes the proportion with treatment leave 0 to 1")


def _of_mean(asked: SampleSizeRequest) -> Iterator[Unanswerable]:
    if asked.deviation is None:
        yield Unanswerable("/deviation", "is needed: the standard deviation between customers")
    if asked.kind == "ratio" and asked.base is None:
        yield Unanswerable("/base", "is needed: the ratio without treatment")
    if asked.kind == "mean" and asked.base is not None:
        yield Unanswerable("/base", "belongs to proportions and ratios")
    complete = asked.deviation is not None and asked.denominator is not None and asked.base is not None
    if asked.kind == "ratio" and complete and _deviation(asked) <= 0:
        yield Unanswerable("/denominator", "leaves the ratio without any variance")


def sample_size(asked: SampleSizeRequest) -> SampleSize | Unanswerable:
    """The answer to a question without errors; `Unanswerable` where no number of customers would do."""
    inflated = _inflated(asked)
    read = asked.model_copy(update={"alpha": _last_level(asked)})
    if asked.units is not None:
        effect = _effect(read, asked.units, inflated)
        if effect is None:
            return Unanswerable("/units", "are too few: not even everybody could be told from the base")
        return _answer(asked, effect, float(asked.units), inflated)
    units = _units(read, asked.effect or 0.0, inflated)
    if not isfinite(units) or units > LARGEST:
        return Unanswerable("/effect", f"is too small: it needs more than {LARGEST:g} customers")
    return _answer(asked, asked.effect or 0.0, units, inflated)


def _last_level(asked: SampleSizeRequest) -> float:
    """Level of a plain two-sided test with the bound that the stop rule has in the end. What may be found at
    an earlier look comes on top: the power is no less than asked for.
    """
    if isinstance(asked.stop, GroupSequentialStop):
        bound = spending_bounds(asked.stop.looks, asked.alpha, asked.stop.spending)[-1]
    elif isinstance(asked.stop, AlwaysValidStop) and asked.units is not None:
        bound = confidence_sequence(0.0, 1.0, asked.units, asked.alpha, asked.stop.tuned_for)[1]
    else:
        return asked.alpha
    return float(2 * stats.norm.sf(bound))


def _inflated(asked: SampleSizeRequest) -> float:
    clusters = asked.clusters
    return design_effect(clusters.icc, clusters.size, clusters.size_variation) if clusters else 1.0


def _deviation(asked: SampleSizeRequest) -> float:
    """Per customer, after CUPED; of a proportion without treatment."""
    base = asked.base or 0.0
    if asked.kind == "proportion":
        return sqrt(base * (1 - base))
    own = asked.deviation or 0.0
    below = asked.denominator
    if below is not None:
        return ratio_deviation(base, own, below.mean, below.deviation, below.correlation)
    return own * sqrt(1 - asked.explained)


def _units(asked: SampleSizeRequest, effect: float, inflated: float) -> float:
    one_sided = asked.goal == "non_inferiority"
    if asked.kind == "proportion":
        base = asked.base or 0.0
        if one_sided:
            alone = non_inferior_proportions_in_all(base, effect, asked.hold_out, asked.alpha, asked.power)
        else:
            alone = proportions_in_all(base, base + effect, asked.hold_out, asked.alpha, asked.power)
        return alone * inflated
    # Of clusters as many means are compared as there are clusters, each with the variance of a mean.
    size = asked.clusters.size if asked.clusters else 1.0
    deviation = _deviation(asked) * sqrt(inflated / size)
    alpha = asked.alpha / 2 if one_sided else asked.alpha
    drawn = units_in_all(effect / deviation, asked.hold_out, alpha, asked.power, one_sided=one_sided)
    return drawn * size


def _effect(asked: SampleSizeRequest, units: int, inflated: float) -> float | None:
    one_sided = asked.goal == "non_inferiority"
    if asked.kind == "proportion":
        treated, held_out = _split(asked, units / inflated)
        base = asked.base or 0.0
        if one_sided:
            return non_inferior_margin(base, treated, held_out, asked.alpha, asked.power)
        return detectable_proportion(base, treated, held_out, asked.alpha, asked.power)
    size = asked.clusters.size if asked.clusters else 1.0
    treated, held_out = _split(asked, units / size)
    alpha = asked.alpha / 2 if one_sided else asked.alpha
    deviation = _deviation(asked) * sqrt(inflated / size)
    return minimum_detectable(deviation, treated, held_out, alpha, asked.power, one_sided=one_sided)


def _split(asked: SampleSizeRequest, units: float) -> tuple[int, int]:
    """Treated and held out, 2 of each at least."""
    held_out = max(2, round(units * asked.hold_out))
    return max(2, round(units) - held_out), held_out


def _answer(asked: SampleSizeRequest, effect: float, units: float, inflated: float) -> SampleSize:
    """Rounded up in each group, so that neither is a fraction too small."""
    size = asked.clusters.size if asked.clusters else 1.0
    if asked.units is not None:
        held_out = max(2, round(units * asked.hold_out))
        treated = max(2, asked.units - held_out)
    else:
        held_out = ceil(units * asked.hold_out - 1e-6)
        treated = ceil(units * (1 - asked.hold_out) - 1e-6)
    return SampleSize(
        effect=effect,
        units=treated + held_out,
        treated=treated,
        hold_out=held_out,
        clusters=ceil(treated / size - 1e-6) + ceil(held_out / size - 1e-6) if asked.clusters else None,
        design_effect=inflated,
        deviation=_deviation(asked),
        alpha=asked.alpha,
        power=asked.power,
        method=_METHODS[asked.kind, asked.goal == "non_inferiority"] + _READ[asked.stop.kind],
    )
