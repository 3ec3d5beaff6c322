"""What a launch would do now: the launch's own decision, counted instead of written."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CTE, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.plan import Plan
from services.campaign.domain.power import minimum_detectable_effect, weekdays_between
from services.campaign.models import Customer, OptimisedContact
from services.campaign.queries.audience import live_audience
from services.campaign.queries.channel_needs import channel_needs
from services.campaign.queries.policy import Policy, decisions, facts
from services.campaign.queries.references import References
from services.campaign.queries.timetable import beyond_capacity, timetable_of
from services.campaign.queries.triggers import LATELY, estimate, moved_audience, moved_lately
from services.campaign.settings import CampaignSettings
from shared.contracts.campaign import Budget, ManagerMinutes, Simulation, SuppressionReason
from shared.contracts.campaign.simulation import ExpectedCost, ExpectedValue
from shared.contracts.campaign.triggers import TriggerEstimate

_CENT = Decimal("0.01")


async def simulate(
    session: AsyncSession,
    settings: CampaignSettings,
    campaign_id: UUID,
    plan: Plan,
    found: References,
    policy: Policy,
    budget: Budget | None,
) -> Simulation:
    members = _members(campaign_id, plan, found, policy.as_of).subquery("members")
    decided = decisions(facts(members, campaign_id, policy), campaign_id, policy, plan.cut).cte("decided")
    columns = (decided.c.state, decided.c.reason, decided.c.arm, decided.c.wave)
    rows = (await session.execute(select(*columns, func.count().label("customers")).group_by(*columns))).all()
    given = await session.execute(
        select(decided.c.manager, func.count().label("contacts"))
        .where(decided.c.manager.is_not(None))
        .group_by(decided.c.manager)
    )
    managers: dict[str, int] = {row.manager: row.contacts for row in given}
    suppressed: Counter[SuppressionReason] = Counter()
    assigned: Counter[tuple[str, int]] = Counter()
    for row in rows:
        if row.reason:
            suppressed[row.reason] += row.customers
        elif row.state == "assigned":
            assigned[row.arm, row.wave] += row.customers
    held_out = sum(row.customers for row in rows if row.state == "held_out")
    arms = {arm.key: 0 for arm in plan.scheme.arms}
    for (arm, _), customers in assigned.items():
        arms[arm] += customers
    eligible = held_out + sum(arms.values())
    return Simulation(
        audience=eligible + suppressed.total(),
        eligible=eligible,
        suppressed=dict(suppressed),
        arms=arms,
        hold_out=held_out,
        managers=len(managers),
        manager_minutes=_minutes(settings, plan, found, arms, len(managers)),
        beyond_capacity=await _beyond(session, settings, plan, policy, managers),
        away=len(policy.stand_ins),
        nobody_there=sum(managers[each] for each in managers.keys() & policy.stand_ins.keys()),
        channels=await channel_needs(session, campaign_id, plan, found, policy.rules, assigned),
        cost=_cost(settings, plan, found, arms, budget),
        expected_value=await _value(session, campaign_id, plan, found, decided),
        minimum_detectable_effect=minimum_detectable_effect(min(arms.values()), held_out),
        trigger=await _estimate(session, plan, found, policy.as_of),
    )


def _cost(
    settings: CampaignSettings,
    plan: Plan,
    found: References,
    arms: Mapping[str, int],
    budget: Budget | None,
) -> ExpectedCost | None:
    # The bank's own currency is that of its channels, where it has any.
    known = {channel.currency for channel in found.channels.values()} | (
        {budget.currency} if budget else set()
    )
    if len(known) > 1:
        return None
    each = settings.manager_cost_per_minute
    amount = sum((arms[arm.key] * found.cost(arm, each) for arm in plan.scheme.arms), Decimal(0))
    return ExpectedCost(
        amount=amount,
        currency=known.pop() if known else "CNY",
        budget=budget.amount if budget else None,
        over=max(amount - budget.amount, Decimal(0)) if budget else None,
    )


async def _value(
    session: AsyncSession, campaign_id: UUID, plan: Plan, found: References, decided: CTE
) -> ExpectedValue | None:
    """A person whom the run chose by several files counts once, for the most."""
    if plan.optimisation is None:
        return None
    person = func.coalesce(Customer.merged_into, Customer.id)
    chosen = (
        select(person.label("customer_id"), func.max(OptimisedContact.value).label("value"))
        .join(Customer, Customer.id == OptimisedContact.customer_id)
        .where(
            OptimisedContact.optimisation_id == plan.optimisation, OptimisedContact.campaign_id == campaign_id
        )
        .group_by(person)
        .subquery("chosen")
    )
    query = (
        select(func.coalesce(func.sum(chosen.c.value), 0.0), func.count())
        .select_from(decided)
        .join(chosen, chosen.c.customer_id == decided.c.customer_id)
        .where(decided.c.state.in_(("assigned", "held_out")))
    )
    value, customers = (await session.execute(query)).one()
    return ExpectedValue(
        amount=Decimal(value).quantize(_CENT),
        currency=found.offers[plan.scheme.arms[0].offer].currency,
        customers=customers,
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
