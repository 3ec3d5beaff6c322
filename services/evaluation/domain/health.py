"""Whether a campaign's comparison may be read at all.

Each check says what it found. One that fails withholds the verdict: a number nobody may trust is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from services.evaluation.domain.breakdown import HOLD_OUT
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.sequential import always_valid_p
from services.evaluation.domain.srm import ALARM, BranchSplits, SplitCheck, check_branches, check_split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CheckName = Literal[
    "hold_out",
    "srm",
    "srm_branches",
    "crossover",
    "contamination",
    "pre_period",
    "late_data",
    "outcomes",
    "other_campaigns",
    "store_lag",
]
MOST_MIXED = 0.01
"""Share of customers in the wrong group that only dilutes an effect, by as much."""
MOST_LATE = 0.02
"""Share of outcomes that may arrive after they were first read."""


@dataclass(frozen=True, slots=True)
class Check:
    """`observed` are the counts behind it; one that does not `withhold` is for information."""

    name: CheckName
    ok: bool
    detail: str
    p_value: float | None = None
    observed: Mapping[str, int] = field(default_factory=dict)
    withholds: bool = True


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Events that count for the primary metric: `read` now; `known` of them at the last evaluation, and
    `due` those that had happened a day before it, known or not.
    """

    read: int = 0
    known: int = 0
    due: int = 0

    @property
    def late(self) -> int:
        """0 also when fewer are left, since customers were erased."""
        return max(self.due - self.known, 0)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the store knows of who was exposed. Counts of customers, by arm with the hold-out under ''.

    `drawn` are the managers or branches by arm where those were drawn by lot. `crossed` have files in several
    arms, `contacted` were held out and contacted by this campaign all the same, `elsewhere` were contacted by
    other campaigns within their outcome window. `before` compares the primary metric over the window before
    assignment.
    """

    assigned: Mapping[str, int]
    matured: int
    drawn: Mapping[str, int] | None = None
    by_branch: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    crossed: int = 0
    contacted: int = 0
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    before: Effect | NoEffect | None = None
    arrivals: Arrivals = field(default_factory=Arrivals)

    @property
    def total(self) -> int:
        return sum(self.assigned.values())


def health(shares: Mapping[str, float], observed: Observed) -> list[Check]:
    """`shares` as declared, by arm and the hold-out under ''."""
    split = check_split(observed.drawn or observed.assigned, shares)
    return [
        _hold_out(shares, observed),
        Check("srm", split.passes, _of_split(split), split.p_value, _named(observed.assigned)),
        _branches(shares, observed),
        _crossover(observed),
        _contamination(observed),
        _pre_period(observed),
        _late_data(observed),
        Check(
            "outcomes",
            observed.matured > 0,
            f"{observed.matured} of {observed.total} exposures have lived through their outcome window",
        ),
        _other_campaigns(observed),
    ]


def store_lag(messages: int) -> Check:
    """Of a look between evaluations: these wait until the store has caught up, a look does not."""
    return Check(
        "store_lag",
        messages == 0,
        f"the store has {messages} messages of the streams still to read",
        observed={"messages": messages},
        withholds=False,
    )


def withheld(checks: Iterable[Check]) -> bool:
    return any(check.withholds and not check.ok for check in checks)


def _named(counts: Mapping[str, int]) -> dict[str, int]:
    return {arm or "hold_out": n for arm, n in sorted(counts.items())}


def _hold_out(shares: Mapping[str, float], observed: Observed) -> Check:
    declared, found = shares.get(HOLD_OUT, 0.0), observed.assigned.get(HOLD_OUT, 0)
    ok = declared > 0 and found > 0
    detail = f"{found} held out at a declared share of {declared:g}"
    return Check("hold_out", ok, detail if ok else f"{detail}: without a hold-out no effect can be claimed")


def _of_split(split: SplitCheck) -> str:
    if split.strangers:
        names = ", ".join(sorted(name or "hold-out" for name in split.strangers))
        return f"customers were assigned to {names}, which was declared with share 0 or not at all"
    return f"χ² = {split.chi2:.2f} on {split.freedom} degrees of freedom; alarm below p = {ALARM}"


def _branches(shares: Mapping[str, float], observed: Observed) -> Check:
    if observed.drawn is not None:
        return Check("srm_branches", ok=True, detail="not judged: whole managers or branches were drawn")
    found = check_branches(observed.by_branch, shares)
    return Check("srm_branches", found.passes, _of_branches(found), found.p_value if found.tested else None)


def _of_branches(found: BranchSplits) -> str:
    if found.worst is None:
        return f"none of {found.branches} branches has enough customers to be judged by itself"
    return (
        f"least likely of {found.tested} branches: {found.worst} with χ² = {found.chi2:.2f};"
        f" p corrected for their number, alarm below {ALARM}"
    )


def _crossover(observed: Observed) -> Check:
    share = observed.crossed / observed.total if observed.total else 0.0
    return Check(
        "crossover",
        share <= MOST_MIXED,
        f"{observed.crossed} of {observed.total} customers have files in more than one arm;"
        f" at most {MOST_MIXED:.0%} may",
        observed={"crossed": observed.crossed},
    )


def _contamination(observed: Observed) -> Check:
    held_out = observed.assigned.get(HOLD_OUT, 0)
    share = observed.contacted / held_out if held_out else 0.0
    return Check(
        "contamination",
        share <= MOST_MIXED,
        f"{observed.contacted} of {held_out} customers held out were contacted by this campaign;"
        f" at most {MOST_MIXED:.0%} may be",
        observed={"contacted": observed.contacted},
    )


def _pre_period(observed: Observed) -> Check:
    before = observed.before
    if observed.drawn is not None:
        return Check("pre_period", ok=True, detail="not judged: whole managers or branches were drawn")
    if before is None:
        return Check("pre_period", ok=True, detail="not judged: the metric has no window before assignment")
    if isinstance(before, NoEffect):
        return Check("pre_period", ok=True, detail=f"not judged: {before.detail}")
    if before.standard_error <= 0:
        return Check("pre_period", ok=True, detail="not judged: nobody's outcome differs")
    n = before.n + before.n_control
    p_value = always_valid_p(before.difference, before.standard_error, n, n)
    return Check(
        "pre_period",
        p_value >= ALARM,
        f"before assignment the groups differed by {before.difference:.6g} ± {before.standard_error:.3g};"
        f" alarm below always-valid p = {ALARM}",
        p_value,
    )


def _late_data(observed: Observed) -> Check:
    arrivals = observed.arrivals
    share = arrivals.late / arrivals.due if arrivals.due else 0.0
    return Check(
        "late_data",
        share <= MOST_LATE,
        f"{arrivals.late} of {arrivals.due} events had happened a day before the last evaluation and came"
        f" after it; at most {MOST_LATE:.0%} may",
        observed={"events": arrivals.read, "late": arrivals.late},
    )


def _other_campaigns(observed: Observed) -> Check:
    """Other campaigns contact both groups alike, as a rule, and then disturb nothing."""
    held_out = observed.assigned.get(HOLD_OUT, 0)
    found = observed.elsewhere.get(HOLD_OUT, 0)
    treated = sum(n for arm, n in observed.elsewhere.items() if arm != HOLD_OUT)
    return Check(
        "other_campaigns",
        ok=True,
        detail=f"{found} of {held_out} held out and {treated} of {observed.total - held_out} treated were"
        " contacted by other campaigns within their outcome window",
        observed={"hold_out": found, "treated": treated},
        withholds=False,
    )
