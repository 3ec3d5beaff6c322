"""What a launch would do now: the launch's own decision, counted instead of written."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.plan import Plan
from services.campaign.domain.power import minimum_detectable_effect, weekdays_between
from services.campaign.queries.audience import live_audience
from services.campaign.queries.policy import Policy, decisions, facts
from services.campaign.queries.references import References
from services.campaign.queries.timetable import beyond_capacity, timetable_of
from services.campaign.queries.triggers import LATELY, estimate, moved_audience, moved_lately
from services.campaign.settings import CampaignSettings
from shared.contracts.campaign import ManagerMinutes, Simulation, SuppressionReason
from shared.contracts.campaign.triggers import TriggerEstimate


async def simulate(
    session: AsyncSession,
    settings: CampaignSettings,
    campaign_id: UUID,
    plan: Plan,
    found: References,
    policy: Policy,
) -> Simulation:
    members = _members(campaign_id, plan, found, policy.as_of).subquery("members")
    decided = decisions(facts(members, campaign_id, policy), campaign_id, policy, plan.cut).cte("decided")
    rows = (
        await session.execute(
            select(
                decided.c.state, decided.c.reason, decided.c.arm, func.count().label("customers")
            ).group_by(decided.c.state, decided.c.reason, decided.c.arm)
        )
    ).all()
    given = await session.execute(
        select(decided.c.manager, func.count().label("contacts"))
        .where(decided.c.manager.is_not(None))
        .group_by(decided.c.manager)
    )
    managers: dict[str, int] = {row.manager: row.contacts for row in given}
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
        managers=len(managers),
        manager_minutes=_minutes(settings, plan, found, arms, len(managers)),
        beyond_capacity=await _beyond(session, settings, plan, policy, managers),
        away=len(policy.stand_ins),
        nobody_there=sum(managers[each] for each in managers.keys() & policy.stand_ins.keys()),
        minimum_detectable_effect=minimum_detectable_effect(min(arms.values()), held_out),
        trigger=await _estimate(session, plan, found, policy.as_of),
    )


async def _beyond(
    session: AsyncSession, settings: CampaignSettings, plan: Plan, policy: Policy, managers: Mapping[str, int]
) -> int:
    if not plan.task_arms:
        return 0
    there = {manager: count for manager, count in managers.items() if manager not in policy.stand_ins}
    by = await timetable_of(session, settings, plan, policy.days)
    return await beyond_capacity(session, there, by)


async def _estimate(
    session: AsyncSession, plan: Plan, found: References, as_of: datetime
) -> TriggerEstimate | None:
    trigger = plan.audience.trigger
    if trigger is None:
        return None
    return await estimate(session, found.segments[trigger.segment].id, trigger, as_of)


def _members(
    campaign_id: UUID, plan: Plan, found: References, as_of: datetime
) -> Select[UUID, int, str, str]:
    """The audience; with a trigger, those of it who would have come lately."""
    segments, trigger = found.segment_ids(), plan.audience.trigger
    if trigger is None:
        return live_audience(campaign_id, plan.audience, segments, plan.people.orgs, plan.schedule.waves)
    lately = moved_lately(segments[trigger.segment], trigger, as_of - LATELY)
    query = moved_audience(campaign_id, plan, trigger, segments, lately)
    if plan.audience.limit is None:
        return query
    return query.order_by(query.selected_columns.customer_id).limit(plan.audience.limit)


def _minutes(
    settings: CampaignSettings, plan: Plan, found: References, arms: dict[str, int], managers: int
) -> ManagerMinutes:
    needed = sum(arms[arm.key] * found.minutes(arm) for arm in plan.scheme.arms)
    days = weekdays_between(plan.schedule.start.toordinal(), plan.schedule.end.toordinal())
    return ManagerMinutes(needed=round(needed), available=managers * settings.manager_minutes_per_day * days)
