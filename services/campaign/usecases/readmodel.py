"""Customers, segments and reviews as their owners announce them: newest wins, whatever the order."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import TableValuedAlias, column, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.moves import Moves
from services.campaign.domain.suitability import rating
from services.campaign.models import Customer, ErasedCustomer, Review, Segment
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.triggers import await_openings, note_moves
from services.campaign.usecases.waking import wake_moved
from shared.contracts.campaign import EvaluationSummary, RecommendationView
from shared.contracts.events import (
    CampaignEvaluated,
    CustomersChanged,
    CustomerState,
    RecommendationIssued,
    SegmentPublished,
    SegmentUpdated,
)
from shared.db import fetch

# Rows in one order everywhere: two batches that share some then cannot lock each other out.
_STORE_SIZES = """
INSERT INTO known_segment AS known (id, key, version, size, evaluated_at)
SELECT * FROM unnest(%(segment)b::uuid[], %(key)b::text[], %(version)b::int[], %(size)b::int[],
  %(at)b::timestamptz[]) AS told(id, key, version, size, evaluated_at)
ORDER BY told.id
ON CONFLICT (id) DO UPDATE SET version = greatest(known.version, excluded.version),
  size = CASE WHEN known.evaluated_at > excluded.evaluated_at THEN known.size ELSE excluded.size END,
  evaluated_at = greatest(known.evaluated_at, excluded.evaluated_at)
"""
# The last word on each customer and segment is the newest, of several at one time the last one told.
_STORE_MEMBERS = """
INSERT INTO segment_member AS known (segment_id, customer_id, member, changed_at, cause)
SELECT DISTINCT ON (told.segment, told.customer) told.segment, told.customer, told.joined, told.at, told.cause
FROM unnest(%(segment)b::uuid[], %(customer)b::uuid[], %(joined)b::bool[], %(at)b::timestamptz[],
  %(cause)b::text[]) WITH ORDINALITY AS told(segment, customer, joined, at, cause, n)
WHERE NOT EXISTS (SELECT 1 FROM erased_customer x WHERE x.id = told.customer)
ORDER BY told.segment, told.customer, told.at DESC, told.n DESC
ON CONFLICT (segment_id, customer_id) DO UPDATE
SET member = excluded.member, changed_at = excluded.changed_at, cause = excluded.cause
WHERE known.changed_at <= excluded.changed_at
"""


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
    await hold_off_erasures(session)  # members may follow in the same transaction
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


async def store_members(session: AsyncSession, *changes: SegmentUpdated) -> None:
    """Parts of runs, of one segment or many, in any order; members may be customers not heard of yet.

    Together they leave what one after another would have left.
    """
    await hold_off_erasures(session)
    await await_openings(session)
    await fetch(session, _STORE_SIZES, _newest(changes))
    moves = Moves.of(changes)
    if moves.customer:
        await fetch(session, _STORE_MEMBERS, moves.columns)
        await note_moves(session, moves)
        await wake_moved(session, moves)


def _newest(changes: Sequence[SegmentUpdated]) -> dict[str, list[object]]:
    """Of each segment the newest evaluation, the last one told of several at one time."""
    newest: dict[UUID, SegmentUpdated] = {}
    versions: dict[UUID, int] = {}
    for change in changes:
        known = newest.get(change.segment_id)
        if known is None or known.evaluated_at <= change.evaluated_at:
            newest[change.segment_id] = change
        versions[change.segment_id] = max(versions.get(change.segment_id, 0), change.version)
    return {
        "segment": list(newest),
        "key": [change.key for change in newest.values()],
        "version": list(versions.values()),
        "size": [change.size for change in newest.values()],
        "at": [change.evaluated_at for change in newest.values()],
    }


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
