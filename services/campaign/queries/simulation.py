"""What a launch would do now: the launch's own decision, counted instead of written."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.plan import Plan
from services.campaign.domain.power import minimum_detectable_effect, weekdays_between
from services.campaign.queries.audience import live_audience
from services.campaign.queries.policy import Policy, decisions, facts
from services.campaign.queries.references import References
from services.campaign.settings import CampaignSettings
from shared.contracts.campaign import ManagerMinutes, Simulation, SuppressionReason


async def simulate(
    session: AsyncSession,
    settings: CampaignSettings,
    campaign_id: UUID,
    plan: Plan,
    found: References,
    policy: Policy,
) -> Simulation:
    members = live_audience(
        campaign_id, plan.audience, found.segment_ids(), plan.people.orgs, plan.schedule.waves
    ).subquery("members")
    decided = decisions(facts(members, campaign_id, policy), campaign_id, policy, plan.cut).cte("decided")
    rows = (
        await session.execute(
            select(
                decided.c.state, decided.c.reason, decided.c.arm, func.count().label("customers")
            ).group_by(decided.c.state, decided.c.reason, decided.c.arm)
        )
    ).all()
    managers = await session.scalar(select(func.count(decided.c.manager.distinct())).select_from(decided))
    suppressed: dict[SuppressionReason, int] = {row.reason: row.customers for row in rows if row.reason}
    held_out = sum(row.customers for row in rows if row.state == "held_out")
    arms = {arm.key: 0 for arm in plan.scheme.arms}
    arms.update({row.arm: row.customers for row in rows if row.state == "assigned"})
    eligible = held_out + sum(arms.values())
    return Simulation(
        audience=eligible + sum(suppressed.values()),
        eligible=eligible,
        suppressed=suppressed,
        arms=arms,
        hold_out=held_out,
        managers=managers or 0,
        manager_minutes=_minutes(settings, plan, found, arms, managers or 0),
        minimum_detectable_effect=minimum_detectable_effect(min(arms.values()), held_out),
    )


def _minutes(
    settings: CampaignSettings, plan: Plan, found: References, arms: dict[str, int], managers: int
) -> ManagerMinutes:
    needed = sum(arms[arm.key] * found.scripts[arm.script].minutes for arm in plan.scheme.arms)
    days = weekdays_between(plan.schedule.start.toordinal(), plan.schedule.end.toordinal())
    return ManagerMinutes(needed=round(needed), available=managers * settings.manager_minutes_per_day * days)
