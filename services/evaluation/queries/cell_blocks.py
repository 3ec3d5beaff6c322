"""The finest cells kept with a campaign's newest result: one Arrow stream a branch, so that everybody reads
those of their own branches.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.cells import MOMENTS, STORED, ArmTraits, CellTable, Column, column_of
from services.evaluation.models import CellBlock, ResultCell
from shared.contracts.events import Registration as Plan

_INSIDE = tuple(name for name in STORED if name != "branch")
_SCHEMA = pa.schema([*((name, pa.string()) for name in _INSIDE), *((name, pa.float64()) for name in MOMENTS)])
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


def packed(table: CellTable) -> dict[str, bytes]:
    """A block for every branch that has cells."""
    branch = table.columns["branch"]
    order = np.argsort(branch.codes, kind="stable")
    ends = np.searchsorted(branch.codes[order], np.arange(len(branch.names) + 1))
    blocks = {}
    for code, name in enumerate(branch.names):
        rows = order[ends[code] : ends[code + 1]]
        if rows.size:
            blocks[name] = _block(table.taken(rows))
    return blocks


def _block(cells: CellTable) -> bytes:
    columns = [pa.array(cells.columns[name].values(), pa.string()) for name in _INSIDE]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA, options=_OPTIONS) as writer:
        writer.write_batch(pa.record_batch([*columns, *map(pa.array, cells.moments)], schema=_SCHEMA))
    return bytes(sink.getvalue())


def united(blocks: Sequence[tuple[str, bytes]]) -> CellTable:
    """One table of the blocks of (branch, payload), in their order."""
    tables = [pa.ipc.open_stream(payload).read_all() for _, payload in blocks]
    whole = pa.concat_tables(tables) if tables else _SCHEMA.empty_table()
    names = column_of([branch for branch, _ in blocks])
    counts = [table.num_rows for table in tables]
    columns = {name: column_from(whole[name]) for name in _INSIDE}
    columns["branch"] = Column(names.names, np.repeat(names.codes, counts))
    return CellTable(columns, np.stack([whole[name].to_numpy().astype(np.float64) for name in MOMENTS]))


def column_from(values: pa.ChunkedArray) -> Column:
    """Texts of Arrow as a column."""
    encoded = values.cast(pa.string()).combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    return Column(tuple(names[i] for i in order), rank[encoded.indices.to_numpy(zero_copy_only=False)])


async def blocks_of(session: AsyncSession, campaign_id: UUID) -> list[tuple[str, bytes]]:
    """Those of the reader's branches, by branch."""
    statement = (
        select(CellBlock.org_path, CellBlock.payload)
        .where(CellBlock.campaign_id == campaign_id)
        .order_by(CellBlock.org_path)
    )
    return [(branch, bytes(payload)) for branch, payload in await session.execute(statement)]


async def older_cells(session: AsyncSession, campaign_id: UUID) -> CellTable:
    """Cells of a result from before there were blocks: nobody's tier and manager is known."""
    statement = (
        select(ResultCell)
        .where(ResultCell.campaign_id == campaign_id)
        .order_by(ResultCell.arm, ResultCell.segment, ResultCell.org_path)
    )
    rows = (await session.scalars(statement)).all()
    columns = {
        "arm": column_of([row.arm for row in rows]),
        "segment": column_of([row.segment for row in rows]),
        "branch": column_of([row.org_path for row in rows]),
        "tier": column_of(["" for _ in rows]),
        "manager": column_of(["" for _ in rows]),
    }
    moments = np.array([[getattr(row, name) for row in rows] for name in MOMENTS], dtype=np.float64)
    return CellTable(columns, moments)


async def cell_table(session: AsyncSession, campaign_id: UUID, plan: Plan) -> CellTable:
    """The finest cells of the newest result in the reader's branches, with the columns of their arms."""
    blocks = await blocks_of(session, campaign_id)
    table = united(blocks) if blocks else await older_cells(session, campaign_id)
    return table.of_arms(traits_of(plan))


def traits_of(plan: Plan) -> Mapping[str, ArmTraits]:
    return {arm.key: ArmTraits(arm.channel, arm.script) for arm in plan.arms}
