"""Customers, segments and reviews as their owners announce them: newest wins, whatever the order."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import TableValuedAlias, Uuid, column, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.suitability import rating
from services.campaign.models import Customer, ErasedCustomer, Review, Segment, SegmentMember
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.triggers import await_openings, note_moves
from shared.contracts.campaign import EvaluationSummary, RecommendationView
from shared.contracts.events import (
    CampaignEvaluated,
    CustomersChanged,
    CustomerState,
    RecommendationIssued,
    SegmentPublished,
    SegmentUpdated,
)


async def store_customers(session: AsyncSession, event: CustomersChanged) -> None:
    await hold_off_erasures(session)
    newest: dict[UUID, CustomerState] = {}
    for state in event.customers:
        known = newest.get(state.customer_id)
        if known is None or state.version > known.version:
            newest[state.customer_id] = state
    # In one order everywhere: two batches that share customers then cannot lock each other out.
    rows = [_customer_row(newest[key]) for key in sorted(newest)]
    given = _recordset(rows)
    upsert = insert(Customer).from_select(
        [column.name for column in given.c], select(given).where(given.c.id.not_in(select(ErasedCustomer.id)))
    )
    await session.execute(
        upsert.on_conflict_do_update(
            index_elements=["id"],
            set_={name: upsert.excluded[name] for name in rows[0] if name != "id"},
            where=Customer.version < upsert.excluded.version,
        )
    )


def _recordset(rows: Sequence[Mapping[str, JsonValue]]) -> TableValuedAlias:
    """The rows as a table: one parameter, however many they are."""
    columns = [column(name, Customer.__table__.columns[name].type) for name in rows[0]]
    return (
        func.jsonb_to_recordset(literal(list(rows), JSONB))
        .table_valued(*columns)
        .render_derived(name="given", with_types=True)
    )


def _customer_row(state: CustomerState) -> dict[str, JsonValue]:
    consents: list[JsonValue] = [channel for channel, given in state.consents.items() if given]
    return {
        "id": str(state.customer_id),
        "ordinal": state.ordinal,
        "version": state.version,
        "kind": state.kind,
        "status": state.status,
        "org_path": state.org,
        "primary_manager": state.primary_manager,
        "backup_manager": state.backup_manager,
        "risk_level": rating(state.risk_level) if state.risk_level else None,
        "risk_valid_until": state.risk_valid_until.isoformat() if state.risk_valid_until else None,
        "consents": consents,
        "merged_into": str(state.merged_into) if state.merged_into else None,
    }


async def store_segment(session: AsyncSession, event: SegmentPublished) -> None:
    upsert = insert(Segment).values(
        id=event.segment_id,
        key=event.key,
        version=event.version,
        kind=event.kind,
        name=event.name.model_dump(),
        archived=event.archived,
    )
    columns = ("key", "version", "kind", "name", "archived")
    await session.execute(
        upsert.on_conflict_do_update(
            index_elements=["id"],
            set_={name: upsert.excluded[name] for name in columns},
            where=Segment.version <= upsert.excluded.version,
        )
    )


async def store_members(session: AsyncSession, event: SegmentUpdated) -> None:
    """One part of one run. Members may be customers not heard of yet, and parts may come in any order."""
    await hold_off_erasures(session)
    await await_openings(session)
    upsert = insert(Segment).values(
        id=event.segment_id,
        key=event.key,
        version=event.version,
        size=event.size,
        evaluated_at=event.evaluated_at,
    )
    await session.execute(
        upsert.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "version": func.greatest(Segment.version, upsert.excluded.version),
                "size": upsert.excluded.size,
                "evaluated_at": upsert.excluded.evaluated_at,
            },
            where=or_(Segment.evaluated_at.is_(None), Segment.evaluated_at <= upsert.excluded.evaluated_at),
        )
    )
    await _store_members(session, event, event.joined, member=True)
    await _store_members(session, event, event.left, member=False)
    await note_moves(session, event)


async def _store_members(
    session: AsyncSession, event: SegmentUpdated, customers: Sequence[UUID], *, member: bool
) -> None:
    if not customers:
        return
    ids = func.unnest(literal(sorted(set(customers)), ARRAY(Uuid))).column_valued("id")
    upsert = insert(SegmentMember).from_select(
        ["segment_id", "customer_id", "member", "changed_at", "cause"],
        select(
            literal(event.segment_id), ids, literal(member), literal(event.evaluated_at), literal(event.cause)
        ).where(ids.not_in(select(ErasedCustomer.id))),
    )
    await session.execute(
        upsert.on_conflict_do_update(
            index_elements=["segment_id", "customer_id"],
            set_={name: upsert.excluded[name] for name in ("member", "changed_at", "cause")},
            where=SegmentMember.changed_at <= upsert.excluded.changed_at,
        )
    )


async def store_evaluation(session: AsyncSession, event: CampaignEvaluated) -> None:
    body = EvaluationSummary.model_validate(event.model_dump(exclude={"campaign_id"}))
    await session.execute(
        insert(Review)
        .values(
            id=event.result_id,
            campaign_id=event.campaign_id,
            kind="evaluation",
            at=event.evaluated_at,
            body=body.model_dump(mode="json"),
        )
        .on_conflict_do_nothing()
    )


async def store_recommendation(session: AsyncSession, event: RecommendationIssued) -> None:
    body = RecommendationView.model_validate(event.model_dump(exclude={"campaign_id"}))
    await session.execute(
        insert(Review)
        .values(
            id=event.recommendation_id,
            campaign_id=event.campaign_id,
            kind="recommendation",
            at=event.issued_at,
            body=body.model_dump(mode="json"),
        )
        .on_conflict_do_nothing()
    )
