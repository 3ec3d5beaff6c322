"""Taking erased customers out of what model runs keep about customers.

Groups keep the size they had. What a run had read goes as a whole, because without the customer it would
not come out the same: such a run can no longer be reproduced, and its record says so.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import numpy as np
from pyroaring import BitMap
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import ModelCluster, ModelInput, ModelRun, ModelScore
from services.segmentation.store.parts import PART_BITS, by_ordinal, united


async def forget_in_runs(session: AsyncSession, ordinals: Collection[int]) -> None:
    """Again changes nothing."""
    erased = np.array(sorted(ordinals), dtype=np.uint32)
    runs = await _forget_scores(session, erased)
    if not runs:
        return
    await session.execute(delete(ModelInput).where(ModelInput.run_id.in_(runs)))
    gone = BitMap(erased)
    clusters = await session.scalars(select(ModelCluster).where(ModelCluster.run_id.in_(runs)))
    for cluster in clusters:
        cluster.members = (BitMap.deserialize(cluster.members) - gone).serialize()
    reports = await session.execute(select(ModelRun.id, ModelRun.report).where(ModelRun.id.in_(runs)))
    for run_id, report in reports.all():
        if report and report.get("projection"):
            pictured = {**report, "projection": _without(report["projection"], gone)}
            await session.execute(update(ModelRun).where(ModelRun.id == run_id).values(report=pictured))
    await session.flush()


async def _forget_scores(session: AsyncSession, erased: Any) -> set[UUID]:
    """The runs that had seen one of them."""
    parts = np.unique(erased >> PART_BITS).tolist()
    keys = await session.execute(select(ModelScore.run_id, ModelScore.part).where(ModelScore.part.in_(parts)))
    runs = set()
    for run_id, part in keys.all():
        payload = await session.scalar(
            select(ModelScore.payload).where(ModelScore.run_id == run_id, ModelScore.part == part)
        )
        table = united([bytes(payload or b"")])
        kept = ~np.isin(table["ordinal"], erased)
        if kept.all():
            continue
        runs.add(run_id)
        left = {name: values[kept] for name, values in table.items()}
        found = list(by_ordinal(left.pop("ordinal"), left))
        this = (ModelScore.run_id == run_id) & (ModelScore.part == part)
        if found:
            await session.execute(update(ModelScore).where(this).values(payload=found[0][1]))
        else:
            await session.execute(delete(ModelScore).where(this))
    return runs


def _without(projection: dict[str, Any], gone: BitMap) -> dict[str, Any]:
    kept = [place for place, ordinal in enumerate(projection["ordinals"]) if ordinal not in gone]
    return {
        **projection,
        **{name: [projection[name][place] for place in kept] for name in ("ordinals", "x", "y")},
    }
