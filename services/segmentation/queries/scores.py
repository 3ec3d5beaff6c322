"""What model runs say about customers, from the stored parts."""

from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import ModelInput, ModelScore
from services.segmentation.store.parts import PART_BITS, Table, united

GROUP = "group"
"""The column of group numbers, 0 for none; where the kind groups customers."""


async def score_columns(session: AsyncSession, run_id: UUID, after: int = -1) -> Table:
    """`ordinal` (ascending), `group` and the scores of every customer whose ordinal is in the part of
    `after` + 1 or a later one. Empty where the run has no scores.
    """
    statement = (
        select(ModelScore.payload)
        .where(ModelScore.run_id == run_id, ModelScore.part >= (after + 1) >> PART_BITS)
        .order_by(ModelScore.part)
    )
    payloads = [bytes(each) for each in await session.scalars(statement)]
    return united(payloads) if payloads else {"ordinal": np.zeros(0, dtype=np.uint32)}


async def scores_of(session: AsyncSession, run_id: UUID, ordinal: int) -> dict[str, float] | None:
    """One customer's row by column; `None` if the run did not see them."""
    payload = await session.scalar(
        select(ModelScore.payload).where(ModelScore.run_id == run_id, ModelScore.part == ordinal >> PART_BITS)
    )
    if payload is None:
        return None
    table = united([bytes(payload)])
    place = int(np.searchsorted(table["ordinal"], ordinal))
    if place == len(table["ordinal"]) or table["ordinal"][place] != ordinal:
        return None
    return {name: values[place].item() for name, values in table.items() if name != "ordinal"}


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
