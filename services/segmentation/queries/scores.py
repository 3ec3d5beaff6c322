"""What model runs say about customers, from the stored parts."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import iterate_in_threadpool

from services.segmentation.models import ModelInput, ModelScore
from services.segmentation.store import reading
from services.segmentation.store.parts import PART_BITS, Table, united
from services.segmentation.store.store import Store
from shared.contracts.base import Page
from shared.contracts.segmentation.models import ScoreRow
from shared.errors import BadRequest
from shared.pagination import PageRequest, encode_cursor

GROUP = "group"
"""The column of group numbers, 0 for none; where the kind groups customers."""
Row = dict[str, float | None]


async def score_columns(session: AsyncSession, run_id: UUID) -> Table:
    """`ordinal` (ascending), `group` and the scores of every customer; no rows without scores."""
    statement = select(ModelScore.payload).where(ModelScore.run_id == run_id).order_by(ModelScore.part)
    payloads = [bytes(each) for each in await session.scalars(statement)]
    if not payloads:
        return {"ordinal": np.zeros(0, dtype=np.uint32)}
    return await asyncio.to_thread(united, payloads)


async def rows_of(session: AsyncSession, run_id: UUID, ordinals: Iterable[int]) -> dict[int, Row]:
    """These customers' rows by ordinal, of those the run saw; `group` among the columns."""
    wanted = np.unique(np.fromiter(ordinals, dtype=np.uint32))
    statement = select(ModelScore.payload).where(
        ModelScore.run_id == run_id, ModelScore.part.in_(np.unique(wanted >> PART_BITS).tolist())
    )
    payloads = [bytes(each) for each in await session.scalars(statement)]

    def read() -> dict[int, Row]:
        found: dict[int, Row] = {}
        for payload in payloads:
            found |= rows_in(payload, wanted)
        return found

    return await asyncio.to_thread(read)


def rows_in(payload: bytes, wanted: NDArray[np.uint32]) -> dict[int, Row]:
    """As `rows_of`, from one part."""
    table = united([payload])
    return _rows(table, np.flatnonzero(np.isin(table["ordinal"], wanted)))


def _rows(table: Table, places: NDArray[np.intp]) -> dict[int, Row]:
    names = [name for name in table if name != "ordinal"]
    columns = [_figures(table[name][places]) for name in names]
    rows = zip(*columns, strict=True) if columns else ([] for _ in places)
    ordinals = table["ordinal"][places].tolist()
    return {ordinal: dict(zip(names, row, strict=True)) for ordinal, row in zip(ordinals, rows, strict=True)}


def _figures(values: NDArray[Any]) -> list[float | None]:
    """JSON has no NaN; a float32 is shown with the digits it has."""
    if values.dtype.kind != "f":
        return [int(value) for value in values]
    return [round(float(value), 6) if np.isfinite(value) else None for value in values]


def split_group(row: Row) -> tuple[int | None, Row]:
    """The group (`None` where the kind makes none) and the scores beside it."""
    group = row.get(GROUP)
    return (None if group is None else int(group)), {key: value for key, value in row.items() if key != GROUP}


async def score_page(
    session: AsyncSession, store: Store, run_id: UUID, org: str, page: PageRequest
) -> Page[ScoreRow]:
    """By ordinal, within the caller's organisation; the cursor is the last ordinal shown."""
    after = _after(page)
    items: list[tuple[int, ScoreRow]] = []
    parts = select(ModelScore.part).where(
        ModelScore.run_id == run_id, ModelScore.part >= (after + 1) >> PART_BITS
    )
    for part in (await session.scalars(parts.order_by(ModelScore.part))).all():
        table = await _part(session, run_id, part)
        ordinals = table["ordinal"]
        rest = ordinals[np.searchsorted(ordinals, after, side="right") :] if after >= 0 else ordinals
        items += await _in_scope(store, table, rest, org, page.limit + 1 - len(items))
        if len(items) > page.limit:
            break
    more = len(items) > page.limit
    shown = items[: page.limit]
    return Page(
        items=[item for _, item in shown], next_cursor=encode_cursor([shown[-1][0]]) if more else None
    )


def _after(page: PageRequest) -> int:
    after = page.after()
    if after is None:
        return -1
    if len(after) != 1 or not isinstance(after[0], int) or not 0 <= after[0] < 2**32:
        raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")
    return after[0]


async def _in_scope(
    store: Store, table: Table, ordinals: NDArray[np.uint32], org: str, limit: int
) -> list[tuple[int, ScoreRow]]:
    rows = await store.run(lambda cursor: reading.members_in_scope(cursor, ordinals, org, limit))
    places = np.searchsorted(table["ordinal"], [ordinal for ordinal, _, _ in rows])
    told = _rows(table, places)
    found = []
    for ordinal, customer_id, _ in rows:
        group, scores = split_group(told[ordinal])
        found.append((ordinal, ScoreRow(customer_id=customer_id, cluster=group or None, scores=scores)))
    return found


async def _part(session: AsyncSession, run_id: UUID, part: int) -> Table:
    statement = select(ModelScore.payload).where(ModelScore.run_id == run_id, ModelScore.part == part)
    return united([bytes(await session.scalar(statement) or b"")])


def score_schema(names: Iterable[str]) -> pa.Schema:
    """Of the export: the customer, then these columns of the run."""
    schema = reading.MEMBER_EXPORT
    for name in names:
        schema = schema.append(pa.field(name, pa.int32() if name == GROUP else pa.float32()))
    return schema


async def score_names(session: AsyncSession, run_id: UUID) -> list[str]:
    """The columns of a run besides `ordinal`."""
    part = await session.scalar(
        select(ModelScore.part).where(ModelScore.run_id == run_id).order_by(ModelScore.part).limit(1)
    )
    return [] if part is None else [name for name in await _part(session, run_id, part) if name != "ordinal"]


async def score_batches(
    store: Store, table: Table, names: list[str], org: str
) -> AsyncIterator[pa.RecordBatch]:
    """Everybody within `org`, by ordinal."""
    schema = score_schema(names)
    with store.read() as cursor:
        async for batch in iterate_in_threadpool(reading.export_members(cursor, table["ordinal"], org)):
            places = np.searchsorted(table["ordinal"], batch.column("ordinal").to_numpy())
            columns = [pa.array(table[name][places]) for name in names]
            yield pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=schema)


async def kept_inputs(session: AsyncSession, run_id: UUID) -> dict[str, Table]:
    """What the run read, by name; empty if it is no longer kept."""
    rows = await session.execute(
        select(ModelInput.name, ModelInput.payload)
        .where(ModelInput.run_id == run_id)
        .order_by(ModelInput.name, ModelInput.part)
    )
    payloads: dict[str, list[bytes]] = {}
    for name, payload in rows:
        payloads.setdefault(name, []).append(bytes(payload))
    return {name: united(parts) for name, parts in payloads.items()}
