"""Whether a campaign's comparison may be read at all.

Each check says what it found. One that fails withholds the verdict: a number nobody may trust is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from services.evaluation.domain.breakdown import HOLD_OUT
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.sequential import always_valid_p
from services.evaluation.domain.srm import ALARM, BranchSplits, SplitCheck, check_branches, check_split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CheckName = Literal[
    "hold_out",
    "srm",
    "srm_branches",
    "crossover",
    "contamination",
    "global_holdout_contaminated",
    "pre_period",
    "late_data",
    "outcomes",
    "other_campaigns",
    "store_lag",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to what a fault does not withhold a verdict. `mixed`: share of customers in the wrong group, which
    only dilutes an effect, by as much. `globally`: share of the global hold-out that campaigns contacted all
    the same. `late`: share of outcomes that may arrive after they were first read.
    """

    mixed: float = 0.01
    globally: float = 0.01
    late: float = 0.02


USUAL = Limits()


class Told(NamedTuple):
    """A sentence in both languages."""

    zh: str
    en: str


_DRAWN = Told("未作判断：按客户经理或机构整体分组", "not judged: whole managers or branches were drawn")
_NO_WINDOW = Told(
    "未作判断：该指标没有分配之前的时间窗", "not judged: the metric has no window before assignment"
)
_NO_RESERVE = Told("未作判断：未登记全局对照组", "not judged: no global hold-out was registered")
_NOBODY_DIFFERS = Told("未作判断：所有人的结果都相同", "not judged: nobody's outcome differs")


@dataclass(frozen=True, slots=True)
class Check:
    """`observed` are the counts behind it; one that does not `withhold` is for information."""

    name: CheckName
    ok: bool
    detail: Told
    p_value: float | None = None
    observed: Mapping[str, int] = field(default_factory=dict)
    withholds: bool = True


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Events that count for the primary metric: `read` now; `due` those that had happened a day before the
    last evaluation, and `known` those of them that it had. `settled` happened a day before now: what the next
    evaluation will compare with.
    """

    read: int = 0
    known: int = 0
    due: int = 0
    settled: int = 0

    @property
    def late(self) -> int:
        """0 also when fewer are left, since customers were erased."""
        return max(self.due - self.known, 0)


@dataclass(frozen=True, slots=True)
class Reserve:
    """The global hold-out, `share` of all customers as registered. Of `contacted` customers whom any campaign
    contacted while this one ran, `held_out` belong to it: by the campaigns named, most first.
    """

    share: float
    contacted: int = 0
    held_out: int = 0
    by: Sequence[tuple[Told, int]] = ()

    @property
    def left_out(self) -> float:
        """How many held out the contacted would have come with, had the lot spared nobody."""
        return (self.contacted - self.held_out) * self.share / (1 - self.share)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the store knows of who was exposed. Counts of customers, by arm with the hold-out under ''.

    `drawn` are the managers or branches by arm where those were drawn by lot. `crossed` have files in several
    arms, `contacted` were held out and contacted by this campaign all the same, `elsewhere` were contacted by
    other campaigns within their outcome window. `before` compares the primary metric over the window before
    assignment. `reserve` is the global hold-out, where one was registered.
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
    reserve: Reserve | None = None

    @property
    def total(self) -> int:
        return sum(self.assigned.values())


def health(shares: Mapping[str, float], observed: Observed, limits: Limits = USUAL) -> list[Check]:
    """`shares` as declared, by arm and the hold-out under ''."""
    split = check_split(observed.drawn or observed.assigned, shares)
    return [
        _hold_out(shares, observed),
        Check("srm", split.passes, _of_split(split), split.p_value, _named(observed.assigned)),
        _branches(shares, observed),
        _crossover(observed, limits.mixed),
        _contamination(observed, limits.mixed),
        _global_hold_out(observed.reserve, limits.globally),
        _pre_period(observed),
        _late_data(observed, limits.late),
        _outcomes(observed),
        _other_campaigns(observed),
    ]


def store_lag(messages: int) -> Check:
    """Of a look between evaluations: these wait until the store has caught up, a look does not."""
    return Check(
        "store_lag",
        messages == 0,
        Told(
            f"消息流中还有 {messages} 条消息尚未读入",
            f"the store has {messages} messages of the streams still to read",
        ),
        observed={"messages": messages},
        withholds=False,
    )


def withheld(checks: Iterable[Check]) -> bool:
    return any(check.withholds and not check.ok for check in checks)


def _named(counts: Mapping[str, int]) -> dict[str, int]:
    return {arm or "hold_out": n for arm, n in sorted(counts.items())}


def _hold_out(shares: Mapping[str, float], observed: Observed) -> Check:
    declared, found = shares.get(HOLD_OUT, 0.0), observed.assigned.get(HOLD_OUT, 0)
    # Before anybody is assigned nobody can be held out: that the windows are open says it.
    if declared > 0 and (found > 0 or not observed.total):
        detail = Told(
            f"登记的对照组占比为 {declared:g}，实际留出 {found} 位客户",
            f"{found} held out at a declared share of {declared:g}",
        )
        return Check("hold_out", ok=True, detail=detail)
    detail = Told(
        f"登记的对照组占比为 {declared:g}，实际留出 {found} 位客户：没有对照组就无法说明效果",
        f"{found} held out at a declared share of {declared:g}: without a hold-out no effect can be claimed",
    )
    return Check("hold_out", ok=False, detail=detail)


def _of_split(split: SplitCheck) -> Told:
    if split.strangers:
        strangers = sorted(split.strangers)
        zh = "、".join(name or "对照组" for name in strangers)
        en = ", ".join(name or "hold-out" for name in strangers)
        return Told(
            f"有客户被分到未登记或登记占比为 0 的组：{zh}",
            f"customers were assigned to {en}, which was declared with share 0 or not at all",
        )
    return Told(
        f"χ² = {split.chi2:.2f}，自由度 {split.freedom}；p 低于 {ALARM} 即报警",
        f"χ² = {split.chi2:.2f} on {split.freedom} degrees of freedom; alarm below p = {ALARM}",
    )


def _branches(shares: Mapping[str, float], observed: Observed) -> Check:
    if observed.drawn is not None:
        return Check("srm_branches", ok=True, detail=_DRAWN)
    found = check_branches(observed.by_branch, shares)
    return Check("srm_branches", found.passes, _of_branches(found), found.p_value if found.tested else None)


def _of_branches(found: BranchSplits) -> Told:
    if found.worst is None:
        return Told(
            f"{found.branches} 家机构的客户都太少，无法逐家判断",
            f"none of {found.branches} branches has enough customers to be judged by itself",
        )
    return Told(
        f"在 {found.tested} 家可判断的机构中，{found.worst} 的分组比例最异常：χ² = {found.chi2:.2f}；"
        f"p 值已按机构数校正，低于 {ALARM} 即报警",
        f"least likely of {found.tested} branches: {found.worst} with χ² = {found.chi2:.2f};"
        f" p corrected for their number, alarm below {ALARM}",
    )


def _crossover(observed: Observed, most: float) -> Check:
    share = observed.crossed / observed.total if observed.total else 0.0
    return Check(
        "crossover",
        share <= most,
        Told(
            f"{observed.total} 位客户中，{observed.crossed} 位以不同档案进入了多个组；上限为 {_share(most)}",
            f"{observed.crossed} of {observed.total} customers have files in more than one arm;"
            f" at most {_share(most)} may",
        ),
        observed={"crossed": observed.crossed},
    )


def _contamination(observed: Observed, most: float) -> Check:
    held_out = observed.assigned.get(HOLD_OUT, 0)
    share = observed.contacted / held_out if held_out else 0.0
    return Check(
        "contamination",
        share <= most,
        Told(
            f"{held_out} 位对照组客户中，{observed.contacted} 位被本活动接触；上限为 {_share(most)}",
            f"{observed.contacted} of {held_out} customers held out were contacted by this campaign;"
            f" at most {_share(most)} may be",
        ),
        observed={"contacted": observed.contacted},
    )


def _global_hold_out(reserve: Reserve | None, most: float) -> Check:
    """What the whole programme is measured against is gone once campaigns contact it, whichever did."""
    if reserve is None or not reserve.share:
        return Check("global_holdout_contaminated", ok=True, detail=_NO_RESERVE)
    found = reserve.held_out
    share = found / max(reserve.left_out, found) if found else 0.0
    return Check(
        "global_holdout_contaminated",
        share <= most,
        _of_reserve(reserve, share, most),
        observed={"contacted": reserve.contacted, "held_out": found},
    )


def _of_reserve(reserve: Reserve, share: float, most: float) -> Told:
    found, expected = reserve.held_out, round(max(reserve.left_out, reserve.held_out))
    by_zh = "；".join(f"{name.zh}：{n} 位" for name, n in reserve.by)
    by_en = "; ".join(f"{name.en}: {n}" for name, n in reserve.by)
    return Told(
        f"期间被任一活动接触的 {reserve.contacted} 位客户中，{found} 位属于全局对照组（占全部客户的"
        f" {_share(reserve.share)}），约为应留出的 {expected} 位的 {share:.1%}；上限为 {_share(most)}"
        + (f"。接触者——{by_zh}" if by_zh else ""),
        f"{found} of {reserve.contacted} customers whom any campaign contacted meanwhile are in the global"
        f" hold-out of {_share(reserve.share)} of all customers: {share:.1%} of the about {expected} to be"
        f" left out; at most {_share(most)} may be" + (f". Contacted by {by_en}" if by_en else ""),
    )


def _share(share: float) -> str:
    """To two places of a per cent, without idle zeros."""
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + "%"


def _pre_period(observed: Observed) -> Check:
    before = observed.before
    if observed.drawn is not None:
        return Check("pre_period", ok=True, detail=_DRAWN)
    if before is None:
        return Check("pre_period", ok=True, detail=_NO_WINDOW)
    if isinstance(before, NoEffect):
        told = Told("未作判断：分配之前的数据不足以比较", f"not judged: {before.detail}")
        return Check("pre_period", ok=True, detail=told)
    if before.standard_error <= 0:
        return Check("pre_period", ok=True, detail=_NOBODY_DIFFERS)
    n = before.n + before.n_control
    p_value = always_valid_p(before.difference, before.standard_error, n, n)
    found = f"{before.difference:.6g} ± {before.standard_error:.3g}"
    return Check(
        "pre_period",
        p_value >= ALARM,
        Told(
            f"分配之前两组相差 {found}；始终有效 p 值低于 {ALARM} 即报警",
            f"before assignment the groups differed by {found}; alarm below always-valid p = {ALARM}",
        ),
        p_value,
    )


def _late_data(observed: Observed, most: float) -> Check:
    arrivals = observed.arrivals
    share = arrivals.late / arrivals.due if arrivals.due else 0.0
    return Check(
        "late_data",
        share <= most,
        Told(
            f"在上次评估一天之前已发生的 {arrivals.due} 个事件中，{arrivals.late} 个在那次评估之后才到；"
            f"上限为 {_share(most)}",
            f"{arrivals.late} of {arrivals.due} events had happened a day before the last evaluation and came"
            f" after it; at most {_share(most)} may",
        ),
        observed={"events": arrivals.read, "settled": arrivals.settled, "late": arrivals.late},
    )


def _outcomes(observed: Observed) -> Check:
    return Check(
        "outcomes",
        observed.matured > 0,
        Told(
            f"{observed.total} 位客户中，{observed.matured} 位已走完观察期",
            f"{observed.matured} of {observed.total} exposures have lived through their outcome window",
        ),
    )


def _other_campaigns(observed: Observed) -> Check:
    """Other campaigns contact both groups alike, as a rule, and then disturb nothing."""
    held_out = observed.assigned.get(HOLD_OUT, 0)
    found = observed.elsewhere.get(HOLD_OUT, 0)
    treated = sum(n for arm, n in observed.elsewhere.items() if arm != HOLD_OUT)
    given = observed.total - held_out
    return Check(
        "other_campaigns",
        ok=True,
        detail=Told(
            f"观察期内被其他活动接触的：对照组 {held_out} 位中 {found} 位，触达组 {given} 位中 {treated} 位",
            f"{found} of {held_out} held out and {treated} of {given} treated were contacted by other"
            " campaigns within their outcome window",
        ),
        observed={"hold_out": found, "treated": treated},
        withholds=False,
    )
