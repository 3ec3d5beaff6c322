"""From what the store observed to the health of a campaign, and how it is told."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.breakdown import HOLD_OUT
from services.evaluation.domain.effect import Effect, NoEffect, welch
from services.evaluation.domain.exposure import Exposures
from services.evaluation.domain.health import (
    USUAL,
    Arrivals,
    Check,
    CheckName,
    Limits,
    Observed,
    Told,
    health,
)
from services.evaluation.models import Registration
from services.evaluation.queries.campaigns import plan_of
from services.evaluation.store.health import Around, GlobalHoldOut
from shared.contracts.evaluation import CampaignResult, HealthCheck, Narrative
from shared.contracts.events import Registration as Plan

_LEVEL = 0.05
_READINGS: dict[CheckName, Narrative] = {
    "hold_out": Narrative(
        zh="没有对照组，就分不清变化是活动带来的还是本来就会发生。下一轮请留出对照组。",
        en="Without a hold-out nobody can tell what the campaign changed from what would have happened"
        " anyway. Hold some customers out next time.",
    ),
    "srm": Narrative(
        zh="实际分组比例与登记不符，说明分配出了错，各组客户不再可比。请检查名单导入、去重和分组程序。",
        en="The groups do not have the sizes that were declared: the assignment went wrong and the groups are"
        " no longer alike. Check how the list was imported, deduplicated and split.",
    ),
    "srm_branches": Narrative(
        zh="个别机构的分组比例异常，可能有人手工调换了客户。请核对该机构的名单。",
        en="In a branch the groups do not have the declared sizes: customers may have been moved by hand."
        " Compare that branch's list with the assignment.",
    ),
    "crossover": Narrative(
        zh="同一客户以不同档案进入了不同的组，其结果不能归于任何一组。请先合并重复客户，再开展活动。",
        en="The same persons are in several arms under different files, so that their outcomes belong to"
        " none. Merge duplicate customers before the next campaign.",
    ),
    "contamination": Narrative(
        zh="对照组客户也被本活动接触，对照已被污染，效果会被低估。请查明是谁接触了他们。",
        en="Customers held out were contacted by this campaign all the same: the comparison understates the"
        " effect. Find out who contacted them.",
    ),
    "global_holdout_contaminated": Narrative(
        zh="全局对照组不应被任何活动接触，整个营销计划的效果以它为准。请查明所列活动为何接触了这些客户。",
        en="No campaign may contact the global hold-out: the whole programme is measured against it. Find out"
        " why the campaigns named did.",
    ),
    "pre_period": Narrative(
        zh="活动之前两组就已不同，之后的差异不能归因于活动。请检查分组是否受客户特征影响。",
        en="The groups differed before the campaign began, so that a later difference is not its doing. Check"
        " whether the assignment depended on what customers were like.",
    ),
    "late_data": Narrative(
        zh="上次评估之后仍有不少应已计入的数据补到，数据可能还不完整。请确认来源系统补齐后再评估一次。",
        en="Much that should have been in the last evaluation arrived after it, and more may come. Make sure"
        " the source systems have delivered, then evaluate again.",
    ),
    "outcomes": Narrative(
        zh="还没有客户走完观察期，现在没有可比较的结果。请等观察期结束。",
        en="Nobody has lived through the outcome window yet: there is nothing to compare. Wait until windows"
        " close.",
    ),
    "other_campaigns": Narrative(
        zh="其他活动若对两组一视同仁，则不影响比较；若只接触了一组，请在解读时注意。",
        en="Other campaigns do not disturb the comparison as long as they reach both groups alike. Where they"
        " reached one of them only, read the effect with care.",
    ),
    "store_lag": Narrative(
        zh="刚发生的事情可能还没有读入。稍后再看；正式评估会等到全部读入。",
        en="What happened just now may not be read yet. Look again in a moment; evaluations wait for it.",
    ),
}


@dataclass(frozen=True)
class Terms:
    """What health is judged by besides the plan: the service's limits, and whom no campaign contacts."""

    limits: Limits = USUAL
    spared: GlobalHoldOut | None = None


async def terms_of(session: AsyncSession, registration: Registration, limits: Limits) -> Terms:
    """Of other campaigns those that the session may see are named."""
    held = plan_of(registration).global_hold_out
    if held is None:
        return Terms(limits)
    statement = select(
        Registration.campaign_id, Registration.name, Registration.plan["global_hold_out"]["share"]
    )
    others = {
        key: (Told(name["zh"], name["en"]), held.share if share is None else float(share))
        for key, name, share in await session.execute(statement)
    }
    return Terms(limits, GlobalHoldOut(held.share, held.salt, others))


def checks(
    plan: Plan, exposed: Exposures, seen: Around, last: CampaignResult | None, limits: Limits = USUAL
) -> list[Check]:
    """As of what the store knows; `last` is the newest result so far."""
    shares = {arm.key: arm.share for arm in plan.arms} | {HOLD_OUT: plan.hold_out}
    return health(shares, observed(exposed, seen, last), limits)


def observed(exposed: Exposures, seen: Around, last: CampaignResult | None) -> Observed:
    """`last` is the newest result so far."""
    before = seen.before
    effect: Effect | NoEffect | None = None
    if before:
        missing = NoEffect("too-few", "2 of each group are needed")
        groups = before.get(True), before.get(False)
        effect = missing
        if groups[0] is not None and groups[1] is not None and min(groups[0].n, groups[1].n) > 1:
            effect = welch(groups[0], groups[1], _LEVEL)
    return Observed(
        assigned=exposed.by_arm,
        matured=exposed.matured,
        drawn=seen.drawn,
        by_branch=seen.by_branch,
        crossed=seen.crossed,
        contacted=seen.contacted,
        elsewhere=seen.elsewhere,
        before=effect,
        arrivals=Arrivals(seen.read, *_known(last, seen), seen.settled),
        reserve=seen.reserve,
    )


def _known(last: CampaignResult | None, seen: Around) -> tuple[int, int]:
    """How many events that had settled the last evaluation had, and how many there are now of that time; none
    before one that counted them. Earlier versions counted those of the last day too.
    """
    for check in last.health.checks if last else []:
        if check.check == "late_data" and "events" in check.observed:
            return check.observed.get("settled", check.observed["events"]), seen.due
    return 0, 0


def as_contract(check: Check) -> HealthCheck:
    return HealthCheck(
        check=check.name,
        ok=check.ok,
        p_value=check.p_value,
        detail=check.detail.en,
        finding=Narrative(zh=check.detail.zh, en=check.detail.en),
        observed=dict(check.observed),
        withholds=check.withholds,
        reading=_READINGS[check.name],
    )
