"""Segments put together with and, or and not, and kept as a segment if wanted."""

from collections.abc import Sequence

import duckdb
from pyroaring import BitMap
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.overlap import combined
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import InSegment, Not, Rule, all_of, any_of
from services.segmentation.queries.comparisons import Compared, scope_of
from services.segmentation.queries.segments import show_segment
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.usecases.segments import create_segment
from shared.auth import HEAD_OFFICE, Principal, Role
from shared.contracts.conditions import SqlDefinition
from shared.contracts.segmentation import SegmentCreate, SegmentView
from shared.contracts.segmentation.comparisons import Combination, CombineRequest, Operation, SaveAs
from shared.errors import Forbidden


def combine(
    cursor: duckdb.DuckDBPyConnection, found: Sequence[Compared], wanted: CombineRequest, org: str
) -> Combination:
    """The count is of the members as stored, within `org`."""
    scope = scope_of(cursor, org)
    members = scope.within(combined(wanted.operation, [each.members for each in found]))
    first = BitMap(members[: wanted.sample])
    ids = reading.customer_ids(cursor, to_array(first))
    return Combination(
        count=len(members),
        of=scope.of,
        sample=[ids[ordinal] for ordinal in first if ordinal in ids],
        sql=to_sql(rule_of(wanted.operation, [each.segment.key for each in found])),
    )


def rule_of(operation: Operation, keys: Sequence[str]) -> Rule:
    """The combination as a rule over the segments themselves."""
    first, *others = (InSegment(key) for key in keys)
    if operation is Operation.union:
        return any_of([first, *others])
    if operation is Operation.intersection:
        return all_of([first, *others])
    return all_of([first, *(Not(other) for other in others)])


def may_save(principal: Principal) -> None:
    """Segments are the bank's: who may make one by `POST /v1/segments` may keep a combination."""
    if not principal.has(Role.strategist):
        raise Forbidden("Only a strategist may save segments")
    if principal.org != HEAD_OFFICE:
        detail = f"Segments are the same in every branch: head office keeps them, you are of {principal.org}."
        raise Forbidden(detail, slug="head-office-only")


async def save(session: AsyncSession, principal: Principal, wanted: SaveAs, sql: str) -> SegmentView:
    """A draft of the combination."""
    created = await create_segment(
        session,
        principal,
        SegmentCreate(
            key=wanted.key,
            name=wanted.name,
            description=wanted.description,
            refresh=wanted.refresh,
            definition=SqlDefinition(sql=sql),
        ),
    )
    return await show_segment(session, created)
