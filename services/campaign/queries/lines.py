"""What is decided on each member of an audience, as SQL: a line of the campaign's ledger."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, case, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from services.campaign.domain.split import Slot, salt_of
from services.campaign.queries.audience import key_of, position
from services.campaign.queries.policy import Policy, evidence, refusals
from shared.contracts.campaign import SuppressionReason
from shared.contracts.drawing import DrawnUnit


def decisions(of: Subquery, campaign_id: UUID, policy: Policy, cut: Sequence[Slot]) -> Select[Any]:
    """One row per member: id, customer_id, wave, segment, org_path, state, reason, evidence, arm, propensity,
    manager.

    The split looks at nothing but the hash, so it is the same whoever else is in the audience. Where managers
    are drawn, it is by whose customers they are, whoever makes the contacts meanwhile.
    """
    judged = _judged(of, refusals(of, policy))
    drawn = _drawn(judged, policy.unit)
    at = case((judged.c.reason.is_(None), position(salt_of("arm", campaign_id), drawn)))
    judged = select(judged, at.label("at")).offset(0).subquery("placed")
    passed = judged.c.reason.is_(None)
    arm = case((~passed, None), *((judged.c.at < slot.upper, slot.arm) for slot in cut), else_=cut[-1].arm)
    state = case((~passed, "suppressed"), (arm.is_(None), "held_out"), else_="assigned")
    key = func.contact_key(campaign_id, judged.c.wave, judged.c.customer_id)
    propensity = case((passed, case(*((judged.c.at < slot.upper, slot.propensity) for slot in cut))))
    return _lines(judged, policy, key, state, arm, propensity)


def _drawn(of: Subquery, unit: DrawnUnit) -> ColumnElement[UUID]:
    if unit == "customer":
        return of.c.customer_id
    return key_of(of.c.owner if unit == "manager" else of.c.org_path)


def further_decisions(of: Subquery, policy: Policy, arm: str, step: str) -> Select[Any]:
    """The same for one more contact of customers who have an arm, one row for each `run_id`. That the person
    is in the campaign already refuses nothing here.
    """
    judged = _judged(of, [rule for rule in refusals(of, policy) if rule[0] != "merged"])
    passed = judged.c.reason.is_(None)
    state = case((passed, "assigned"), else_="suppressed")
    key = func.follow_up_key(judged.c.run_id, step)
    return _lines(judged, policy, key, state, case((passed, arm)), case((passed, 1.0)))


def _judged(of: Subquery, rules: Sequence[tuple[SuppressionReason, ColumnElement[bool]]]) -> Subquery:
    reason = case(*((refuses, name) for name, refuses in rules), else_=None)
    # Fences here and above: without them the planner would ask every rule, and hash, once per mention.
    return select(of, reason.label("reason")).offset(0).subquery("judged")


def _lines(
    judged: Subquery,
    policy: Policy,
    key: ColumnElement[UUID],
    state: ColumnElement[str],
    arm: ColumnElement[str | None],
    propensity: ColumnElement[float | None],
) -> Select[Any]:
    proof = case(dict(evidence(judged, policy)), value=judged.c.reason)
    return select(
        key.label("id"),
        judged.c.customer_id,
        judged.c.wave,
        judged.c.segment,
        judged.c.org_path,
        state.label("state"),
        judged.c.reason,
        type_coerce(proof, JSONB).label("evidence"),
        arm.label("arm"),
        propensity.label("propensity"),
        case((arm.in_(policy.task_arms), judged.c.manager)).label("manager"),
    )
