"""What a launch would do now: the launch's own decision, counted instead of written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Subquery, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.plan import Plan
from services.campaign.domain.power import minimum_detectable_effect, weekdays_between
from services.campaign.models import Customer, OptimisedContact
from services.campaign.queries.audience import live_audience
from services.campaign.queries.channel_needs import channel_needs
from services.campaign.queries.families import person
from services.campaign.queries.lines import decisions
from services.campaign.queries.policy import Policy, facts
from services.campaign.queries.references import References
from services.campaign.queries.timetable import beyond_capacity, timetable_of
from services.campaign.queries.triggers import LATELY, estimate, moved_audience, moved_lately
from services.campaign.settings import CampaignSettings
from shared.contracts.campaign import Budget, ManagerMinutes, Simulation, SuppressionReason
from shared.contracts.campaign.simulation import ExpectedCost, ExpectedValue
from shared.contracts.campaign.triggers import TriggerEstimate

_CENT = Decimal("0.01")


@dataclass
class _Counted:
    """assigned: by arm and wave; managers: contacts of each. value, valued: what is expected of customers who
    may be contacted or are held out, and of how many of them something is.
    """

    suppressed: Counter[SuppressionReason] = field(default_factory=Counter)
    assigned: Counter[tuple[str, int]] = field(default_factory=Counter)
    managers: dict[str, int] = field(default_factory=dict)
    held_out: int = 0
    value: float = 0.0
    valued: int = 0

    def add(self, row: Row[Any]) -> None:
        if not row.by_outcome:
            if row.manager is not None:
                self.managers[row.manager] = row.customers
            return
        if row.reason:
            self.suppressed[row.reason] += row.customers
            return
        if row.state == "assigned":
            self.assigned[row.arm, row.wave] += row.customers
        else:
            self.held_out += row.customers
        self.value += row.value or 0.0
        self.valued += row.valued


async def _count(session: AsyncSession, campaign_id: UUID, plan: Plan, decided: Subquery) -> _Counted:
    """In one pass over the audience: deciding on everybody is what takes its time."""
    chosen = _chosen(plan.optimisation, campaign_id)
    outcome = (decided.c.state, decided.c.reason, decided.c.arm, decided.c.wave)
    query = (
        select(
            *outcome,
            decided.c.manager,
            func.grouping(decided.c.manager).label("by_outcome"),
            func.count().label("customers"),
            func.sum(chosen.c.value).label("value"),
            func.count(chosen.c.value).label("valued"),
        )
        .outerjoin(chosen, chosen.c.customer_id == decided.c.customer_id)
        .group_by(func.grouping_sets(tuple_(*outcome), tuple_(decided.c.manager)))
    )
    counted = _Counted()
    for row in await session.execute(query):
        counted.add(row)
    return counted


def _chosen(optimisation: UUID | None, campaign_id: UUID) -> Subquery:
    """What the run expects of each person it chose, the most where several of their files were chosen."""
    return (
        select(person().label("customer_id"), func.max(OptimisedContact.value).label("value"))
        .join(Customer, Customer.id == OptimisedContact.customer_id)
        .where(OptimisedContact.optimisation_id == optimisation, OptimisedContact.campaign_id == campaign_id)
        .group_by(person())
        .subquery("chosen")
    )


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
    decided = decisions(facts(members, campaign_id, policy), campaign_id, policy, plan.cut).subquery(
        "decided"
    )
    counted = await _count(session, campaign_id, plan, decided)
    managers, held_out = counted.managers, counted.held_out
    arms = {arm.key: 0 for arm in plan.scheme.arms}
    for (arm, _), customers in counted.assigned.items():
        arms[arm] += customers
    eligible = held_out + sum(arms.values())
    return Simulation(
        audience=eligible + counted.suppressed.total(),
        eligible=eligible,
        suppressed=dict(counted.suppressed),
        arms=arms,
        hold_out=held_out,
        managers=len(managers),
        manager_minutes=_minutes(settings, plan, found, arms, len(managers)),
        beyond_capacity=await _beyond(session, settings, plan, policy, managers),
        away=len(policy.stand_ins),
        nobody_there=sum(managers[each] for each in managers.keys() & policy.stand_ins.keys()),
        channels=await channel_needs(session, campaign_id, plan, found, policy.rules, counted.assigned),
        cost=_cost(settings, plan, found, arms, budget),
        expected_value=_value(plan, found, counted),
        minimum_detectable_effect=_detectable(plan, arms, held_out),
        trigger=await _estimate(session, plan, found, policy.as_of),
    )


def _detectable(plan: Plan, arms: Mapping[str, int], held_out: int) -> float | None:
    """Customers of one manager are alike, nobody knows yet how much: then their number says nothing."""
    if plan.scheme.unit != "customer":
        return None
    return minimum_detectable_effect(min(arms.values()), held_out)


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


def _value(plan: Plan, found: References, counted: _Counted) -> ExpectedValue | None:
    if plan.optimisation is None:
        return None
    return ExpectedValue(
        amount=Decimal(counted.value).quantize(_CENT),
        currency=found.offers[plan.scheme.arms[0].offer].currency,
        customers=counted.valued,
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
