"""The contact policy as SQL: why a customer may not be contacted, applied to the facts as they are now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Subquery,
    Text,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.campaign.domain.absences import StandIn
from services.campaign.domain.contact_rules import ContactRules
from services.campaign.domain.split import GLOBAL_SALT
from services.campaign.models import (
    Contact,
    Customer,
    OptimisedContact,
    OutsideContact,
    SegmentMember,
    Suppression,
)
from services.campaign.queries.audience import position
from services.campaign.queries.families import head_of_family, merged_customers
from services.campaign.queries.orgs import in_orgs
from services.campaign.queries.stand_ins import manager_there
from services.campaign.settings import CampaignSettings
from shared.contracts.base import OrgPath
from shared.contracts.campaign import SuppressionReason
from shared.contracts.drawing import DrawnUnit


@dataclass(frozen=True)
class Policy:
    """What the rules are measured against. `required_rating` None: no product is on offer; no `orgs`: any."""

    as_of: datetime
    today: date
    consents: Sequence[str]
    """What a contact needs by any arm: were some in one arm only, arms would differ in more than chance."""
    required_rating: int | None
    use_backup: bool
    orgs: Sequence[OrgPath]
    rules: ContactRules
    global_hold_out: float
    task_arms: Sequence[str]
    """Arms that managers carry out; without any nobody needs a manager."""
    optimisation: UUID | None = None
    """The run that chose whom the campaign contacts; None: nobody chose."""
    days: Sequence[date] = ()
    """On which the contacts may be made, as far as they are worked."""
    stand_ins: Mapping[str, StandIn] = field(default_factory=dict)
    """Managers who are away for most of them."""
    exits: Sequence[UUID] = ()
    """Segments whose members need no contact any more."""
    unit: DrawnUnit = "customer"
    """What is drawn by lot."""

    @property
    def counts_from(self) -> datetime:
        return self.as_of - timedelta(days=self.rules.cap_days)


def policy_of(
    settings: CampaignSettings,
    rules: ContactRules,
    *,
    as_of: datetime,
    today: date,
    required_rating: int | None,
    use_backup: bool,
    consents: Sequence[str],
    task_arms: Sequence[str],
    orgs: Sequence[OrgPath] = (),
    optimisation: UUID | None = None,
    days: Sequence[date] = (),
    stand_ins: Mapping[str, StandIn] | None = None,
    exits: Sequence[UUID] = (),
    unit: DrawnUnit = "customer",
) -> Policy:
    return Policy(
        as_of=as_of,
        today=today,
        consents=consents,
        required_rating=required_rating,
        use_backup=use_backup,
        orgs=orgs,
        rules=rules,
        global_hold_out=settings.global_hold_out,
        task_arms=task_arms,
        optimisation=optimisation,
        days=days,
        stand_ins=stand_ins or {},
        exits=exits,
        unit=unit,
    )


def facts(members: FromClause, campaign_id: UUID, policy: Policy) -> Subquery:
    """All that the rules look at, one row per member that is a known customer.

    `members` has customer_id, wave and segment; and contact_id where contacts ask that exist already, so that
    the cap looks at the others; and run_id where journeys ask for further ones.
    """
    asks = members.c.get("contact_id")
    manager, absent = manager_there(policy.stand_ins, use_backup=policy.use_backup)
    head = head_of_family(Customer.id.expression)
    # Few customers have more than one file: only for them it is asked what the others say.
    has_family = head.c.customer_id.is_not(None)
    query = (
        select(
            members.c.customer_id,
            members.c.wave,
            members.c.segment,
            *(members.c[name] for name in ("contact_id", "run_id") if name in members.c),
            Customer.org_path,
            Customer.status,
            Customer.merged_into,
            Customer.consents,
            Customer.risk_level,
            Customer.risk_valid_until,
            manager.label("manager"),
            Customer.primary_manager.label("owner"),
            or_(_blocked(policy), and_(has_family, _family_blocked(policy))).label("blocked"),
            (_recent_contacts(policy, asks) + case((has_family, _of_family(policy, asks)), else_=0)).label(
                "recent"
            ),
            _refused_lately(policy, has_family).label("refused_lately"),
            and_(has_family, _family_is_in(campaign_id)).label("family_is_in"),
            _chosen(policy, campaign_id, has_family).label("chosen"),
            _converted(policy).label("converted"),
        )
        .select_from(members)
        .join(Customer, Customer.id == members.c.customer_id)
        .outerjoin(head, true())
    )
    for away, on in absent:
        query = query.outerjoin(away, on)
    # A fence: without it the planner would count contacts once per use of the count.
    return query.offset(0).subquery("facts")


def _blocked(policy: Policy) -> ColumnElement[bool]:
    return exists().where(Suppression.customer_id == Customer.id, *_in_force(policy))


def _family_blocked(policy: Policy) -> ColumnElement[bool]:
    """What was said for any of a person's files holds for the person."""
    member = merged_customers()
    return exists().where(
        member.c.survivor == Customer.id, Suppression.customer_id == member.c.id, *_in_force(policy)
    )


def _in_force(policy: Policy) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(Suppression.channel.is_(None), Suppression.channel.in_(policy.consents)),
        or_(Suppression.until.is_(None), Suppression.until > policy.as_of),
    )


def _recent_contacts(policy: Policy, asks: ColumnElement[UUID] | None) -> ColumnElement[int]:
    """Of campaigns and by hand, tried since the cap's window opened, or still to be made, however long ago
    they were planned; one that expired untried counts nothing.
    """
    planned = (
        select(func.count())
        .where(Contact.customer_id == Customer.id, *_recent(policy, asks))
        .correlate_except(Contact)
        .scalar_subquery()
    )
    by_hand = (
        select(func.count())
        .where(OutsideContact.customer_id == Customer.id, OutsideContact.at > policy.counts_from)
        .correlate_except(OutsideContact)
        .scalar_subquery()
    )
    return planned + by_hand


def _of_family(policy: Policy, asks: ColumnElement[UUID] | None) -> ColumnElement[int]:
    """Those of the person's other files."""
    member = merged_customers()
    planned = (
        select(func.count())
        .where(member.c.survivor == Customer.id, Contact.customer_id == member.c.id, *_recent(policy, asks))
        .correlate_except(Contact, member)
        .scalar_subquery()
    )
    by_hand = (
        select(func.count())
        .where(
            member.c.survivor == Customer.id,
            OutsideContact.customer_id == member.c.id,
            OutsideContact.at > policy.counts_from,
        )
        .correlate_except(OutsideContact, member)
        .scalar_subquery()
    )
    return planned + by_hand


def _recent(policy: Policy, asks: ColumnElement[UUID] | None) -> tuple[ColumnElement[bool], ...]:
    return (
        Contact.arm.is_not(None),
        or_(
            Contact.state == "assigned",
            and_(Contact.attempts > 0, Contact.closed_at > policy.counts_from),
        ),
        *([] if asks is None else [Contact.id != asks]),
    )


def _refused_lately(policy: Policy, has_family: ColumnElement[bool]) -> ColumnElement[bool]:
    """The person, by whichever file, said no to an offer so lately that they are left alone."""
    if policy.rules.cool_down_days == 0:
        return literal(False)
    member = merged_customers()
    said = (
        Contact.arm.is_not(None),
        Contact.disposition == "refused",
        Contact.closed_at > policy.as_of - timedelta(days=policy.rules.cool_down_days),
    )
    own = exists().where(Contact.customer_id == Customer.id, *said)
    family = exists().where(member.c.survivor == Customer.id, Contact.customer_id == member.c.id, *said)
    return or_(own, and_(has_family, family))


def _family_is_in(campaign_id: UUID) -> ColumnElement[bool]:
    """Another file of the person was assigned or held out in this campaign already."""
    member = merged_customers()
    return exists().where(
        member.c.survivor == Customer.id,
        Contact.campaign_id == campaign_id,
        Contact.customer_id == member.c.id,
        Contact.state.in_(("assigned", "done", "held_out")),
    )


def _chosen(policy: Policy, campaign_id: UUID, has_family: ColumnElement[bool]) -> ColumnElement[bool]:
    """The run chose the person for this campaign, by whichever file. Whoever was not in the run was not
    chosen: there is no room planned for them.
    """
    if policy.optimisation is None:
        return literal(True)
    member = merged_customers()
    by_run = (
        OptimisedContact.optimisation_id == policy.optimisation,
        OptimisedContact.campaign_id == campaign_id,
    )
    own = exists().where(OptimisedContact.customer_id == Customer.id, *by_run)
    family = exists().where(
        member.c.survivor == Customer.id, OptimisedContact.customer_id == member.c.id, *by_run
    )
    return or_(own, and_(has_family, family))


def _converted(policy: Policy) -> ColumnElement[bool]:
    if not policy.exits:
        return literal(False)
    return exists().where(
        SegmentMember.customer_id == Customer.id,
        SegmentMember.segment_id.in_(policy.exits),
        SegmentMember.member,
    )


def refusals(of: Subquery, policy: Policy) -> list[tuple[SuppressionReason, ColumnElement[bool]]]:
    """Each rule with the condition under which it refuses; the first that holds is the reason given."""
    rules: list[tuple[SuppressionReason, ColumnElement[bool]]] = [
        ("merged", or_(of.c.merged_into.is_not(None), of.c.family_is_in)),
        ("inactive", of.c.status != "active"),
    ]
    if policy.orgs:
        rules.append(("moved", ~in_orgs(of.c.org_path, policy.orgs)))
    rules.append(("do_not_contact", of.c.blocked))
    if policy.exits:
        rules.append(("converted", of.c.converted))
    rules.append(("consent", ~of.c.consents.contains(list(policy.consents))))
    if policy.required_rating is not None:
        rules.append(("suitability", _unsuitable(of, policy.required_rating, policy.today)))
    rules += [
        ("cool_down", of.c.refused_lately),
        ("cap", of.c.recent >= policy.rules.cap),
        ("no_manager", _without_manager(of, policy)),
        ("global_hold_out", position(GLOBAL_SALT, of.c.customer_id) < policy.global_hold_out),
    ]
    if policy.optimisation is not None:
        # Last, and before the split: what other rules refuse is counted as without a choice, and the
        # hold-out is drawn among the chosen.
        rules.append(("not_chosen", ~of.c.chosen))
    return rules


def _without_manager(of: Subquery, policy: Policy) -> ColumnElement[bool]:
    """Nobody could carry it out; or the lot, drawn among managers, could not fall."""
    needs = [of.c.manager.is_(None)] if policy.task_arms else []
    if policy.unit == "manager":
        needs.append(of.c.owner.is_(None))
    return or_(false(), *needs)


def _unsuitable(of: Subquery, required: int, today: date) -> ColumnElement[bool]:
    return or_(
        of.c.risk_level.is_(None),
        of.c.risk_level < required,
        of.c.risk_valid_until.is_(None),
        of.c.risk_valid_until < today,
    )


def evidence(of: Subquery, policy: Policy) -> Mapping[SuppressionReason, ColumnElement[Any]]:
    """The facts a rule rests on, as JSON. Rules without an entry have nothing more to say."""
    return {
        "merged": func.jsonb_build_object("survivor", of.c.merged_into, "family_is_in", of.c.family_is_in),
        "inactive": func.jsonb_build_object("status", of.c.status),
        "consent": func.jsonb_build_object(
            "needed", literal(list(policy.consents), ARRAY(Text)), "given", of.c.consents
        ),
        "suitability": func.jsonb_build_object(
            "required",
            policy.required_rating,
            "risk_level",
            of.c.risk_level,
            "valid_until",
            of.c.risk_valid_until,
        ),
        "cool_down": func.jsonb_build_object("days", policy.rules.cool_down_days, "policy", policy.rules.ref),
        "cap": func.jsonb_build_object(
            "contacts",
            of.c.recent,
            "cap",
            policy.rules.cap,
            "days",
            policy.rules.cap_days,
            "policy",
            policy.rules.ref,
        ),
        "not_chosen": func.jsonb_build_object("optimisation", policy.optimisation),
    }
