"""Who is in an audience: include segments less exclude segments, within the campaign's organisations."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Float, Select, Subquery, Uuid, case, exists, func, literal, select
from sqlalchemy.orm import aliased

from services.campaign.domain.split import salt_of
from services.campaign.models import AudienceMember, Contact, Customer, SegmentMember
from services.campaign.queries.orgs import in_orgs
from shared.contracts.base import OrgPath
from shared.contracts.campaign import Audience
from shared.contracts.campaign.journeys import FIRST_STEP


def position(salt: str, customer: ColumnElement[UUID]) -> ColumnElement[float]:
    """`domain.split.position` in SQL."""
    return func.split_position(salt, customer, type_=Float)


def key_of(name: ColumnElement[str]) -> ColumnElement[UUID]:
    """`domain.split.key_of` in SQL."""
    digest = func.encode(func.sha256(func.convert_to(name, "UTF8")), "hex")
    return func.left(digest, 32).cast(Uuid)


def live_audience(
    campaign_id: UUID,
    audience: Audience,
    segments: Mapping[str, UUID],
    orgs: Sequence[OrgPath],
    waves: int,
    among: Select[UUID] | None = None,
) -> Select[UUID, int, str, str]:
    """Rows of customer_id, wave, segment, org_path, as memberships stand now.

    `segments` gives the id of every key in `audience`. A member of several include segments counts for
    the first of them. Members the service has not heard of as customers are not in the audience. `among`:
    of these customers, if not of all.
    """
    ranked = _ranked_members([segments[key] for key in audience.include], among)
    excluded = aliased(SegmentMember)
    segment = case(
        *((ranked.c.rank == rank, key) for rank, key in enumerate(audience.include)),
        else_=audience.include[0],
    )
    at = position(salt_of("wave", campaign_id), Customer.id.expression) if waves > 1 else literal(0.0)
    query = (
        select(
            Customer.id.label("customer_id"),
            (1 + func.floor(at * waves)).cast(AudienceMember.wave.type).label("wave"),
            segment.label("segment"),
            Customer.org_path.label("org_path"),
        )
        .join(ranked, ranked.c.customer_id == Customer.id)
        .where(in_orgs(Customer.org_path.expression, orgs))
    )
    if audience.exclude:
        query = query.where(
            ~exists().where(
                excluded.customer_id == Customer.id,
                excluded.segment_id.in_([segments[key] for key in audience.exclude]),
                excluded.member,
            )
        )
    if audience.limit is not None:
        order = position(salt_of("limit", campaign_id), Customer.id.expression)
        query = query.order_by(order, Customer.id).limit(audience.limit)
    return query


def _ranked_members(include: Sequence[UUID], among: Select[UUID] | None) -> Subquery:
    """Each member of any of the segments once, with the index of the first segment it is in."""
    rank = case(*((SegmentMember.segment_id == key, index) for index, key in enumerate(include)))
    query = (
        select(SegmentMember.customer_id, func.min(rank).label("rank"))
        .where(SegmentMember.segment_id.in_(include), SegmentMember.member)
        .group_by(SegmentMember.customer_id)
    )
    if among is not None:
        query = query.where(SegmentMember.customer_id.in_(among))
    return query.subquery("ranked")


def frozen_audience(
    campaign_id: UUID, wave: int, after: UUID | None, upto: UUID | None
) -> Select[UUID, int, str]:
    """Rows of customer_id, wave, segment: members of a wave whose ids come after `after`, up to `upto`."""
    query = select(AudienceMember.customer_id, AudienceMember.wave, AudienceMember.segment).where(
        AudienceMember.campaign_id == campaign_id, AudienceMember.wave == wave
    )
    if after is not None:
        query = query.where(AudienceMember.customer_id > after)
    return query if upto is None else query.where(AudienceMember.customer_id <= upto)


def last_of_next(campaign_id: UUID, wave: int, after: UUID | None, count: int) -> Select[UUID]:
    """The id of the last of the next `count` members of a wave in the order of their ids; no row when there
    are fewer.
    """
    members = frozen_audience(campaign_id, wave, after, None).with_only_columns(AudienceMember.customer_id)
    return members.order_by(AudienceMember.customer_id).offset(count - 1).limit(1)


def undecided(members: Select[UUID, int, str], campaign_id: UUID) -> Select[UUID, int, str]:
    """Those of the members of an audience who have no line in the campaign's ledger."""
    line = select(Contact.id).where(
        Contact.campaign_id == campaign_id,
        Contact.customer_id == AudienceMember.customer_id,
        Contact.step == FIRST_STEP,
    )
    # Asked of each, by index: as a join it may read the whole campaign for each while statistics are old.
    return members.where(line.correlate(AudienceMember).scalar_subquery().is_(None))
