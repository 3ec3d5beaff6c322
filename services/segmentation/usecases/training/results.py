"""The result of a run as rows: record, groups, scores and what it read, in one transaction."""

from dataclasses import dataclass
from importlib.metadata import version
from platform import python_version
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import ModelCluster, ModelInput, ModelRun, ModelScore
from services.segmentation.queries.scores import GROUP
from services.segmentation.store import parts
from services.segmentation.store.bitmaps import from_mask
from services.segmentation.usecases.training.framework import Group, Inputs, Trained
from shared import clock
from shared.contracts.base import LocalText
from shared.contracts.segmentation import ClusterProfile, DataWindow, RunState

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "duckdb", "pyarrow")
_KEPT_RUNS = 3
_QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class Outcome:
    """A finished training with what it read and when."""

    trained: Trained
    inputs: Inputs
    window: DataWindow
    previous: UUID | None


async def store_result(session: AsyncSession, run_id: UUID, outcome: Outcome) -> None:
    """Replaces nothing: a run that has ended meanwhile, in whatever way, stays as it is."""
    run = await session.get_one(ModelRun, run_id, with_for_update=True)
    if run.state != RunState.running:
        return
    trained = outcome.trained
    run.previous_run_id = outcome.previous
    run.window = outcome.window.model_dump(mode="json")
    run.understanding = understanding(outcome.inputs)
    run.metrics = _json(trained.metrics)
    run.report = _json(trained.report)
    run.preparation = _json(trained.preparation)
    run.versions = {"python": python_version(), **{name: version(name) for name in _LIBRARIES}}
    run.input_digest = parts.digest(outcome.inputs.kept)
    run.result_digest = result_digest(trained)
    run.state = RunState.succeeded
    run.problem = None
    run.finished_at = clock.now()
    await session.flush()
    await _insert(session, ModelCluster, [{"run_id": run_id, **row} for row in _groups(trained)])
    for part, payload in parts.by_ordinal(trained.ordinals, columns_of(trained)):
        await _insert(session, ModelScore, [{"run_id": run_id, "part": part, "payload": payload}])
    for name, table in outcome.inputs.kept.items():
        for part, payload in parts.by_rows(table):
            row = {"run_id": run_id, "name": name, "part": part, "payload": payload}
            await _insert(session, ModelInput, [row])
    await _forget_inputs(session, run.model_id)


def columns_of(trained: Trained) -> dict[str, NDArray[Any]]:
    """What is stored per customer; empty where a kind neither groups nor scores."""
    labels = {} if trained.labels is None else {GROUP: trained.labels.astype(np.int32)}
    return {**labels, **{name: values.astype(np.float32) for name, values in trained.scores.items()}}


def result_digest(trained: Trained) -> str:
    """SHA-256 of all that a run says: labels, scores, groups and figures."""
    said = [_figures(group) for group in trained.groups]
    text = orjson.dumps(
        [said, _json(trained.metrics), _json(trained.preparation)], option=orjson.OPT_SORT_KEYS
    )
    figures = np.frombuffer(text, dtype=np.uint8)
    return parts.digest(
        {"customers": {"ordinal": trained.ordinals, **columns_of(trained)}, "figures": {"json": figures}}
    )


def _figures(group: Group) -> dict[str, Any]:
    """Without words: what features are called may change."""
    differences = {each.feature: [each.mean, each.standardised_difference] for each in group.profile}
    quality = None if group.rule_quality is None else dict(group.rule_quality)
    return {
        "group": [group.number, group.size, group.rule, quality],
        "centre": dict(group.centre),
        "differences": differences,
    }


def understanding(inputs: Inputs) -> dict[str, Any]:
    """Per table and column of numbers: rows, share unknown, mean, standard deviation, quantiles."""
    return {
        name: {
            "rows": len(next(iter(table.values()))),
            "columns": {
                column: _described(values.astype(np.float64))
                for column, values in table.items()
                if column != "ordinal" and values.dtype.kind in "fiub"
            },
        }
        for name, table in inputs.kept.items()
    }


def _described(values: NDArray[np.float64]) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    if not known.size:
        return {"unknown": 1.0}
    quantiles = np.quantile(known, _QUANTILES)
    return {
        "unknown": 1.0 - known.size / values.size,
        "mean": float(known.mean()),
        "deviation": float(known.std()),
        "quantiles": {str(share): float(value) for share, value in zip(_QUANTILES, quantiles, strict=True)},
    }


def _groups(trained: Trained) -> list[dict[str, Any]]:
    size = int(trained.ordinals[-1]) + 1 if trained.ordinals.size else 0
    rows = []
    for group in trained.groups:
        inside = group.members
        if inside is None:
            inside = trained.labels == group.number if trained.labels is not None else None
        if inside is None:
            raise TypeError(f"nobody says who is in group {group.number}")
        members = from_mask(trained.ordinals, inside, size)
        rows.append(_group_row(group, len(trained.ordinals)) | {"members": members.serialize()})
    return rows


def _group_row(group: Group, customers: int = 0) -> dict[str, Any]:
    profile = ClusterProfile(
        cluster=group.number,
        size=group.size,
        share=group.size / customers if customers else 0.0,
        description=group.description,
        contrasts=list(group.profile),
    )
    return {
        "cluster": group.number,
        "size": group.size,
        "profile": profile.model_dump(mode="json", exclude={"name", "rule"}),
        "centre": dict(group.centre),
        "name": group.name.model_dump(),
        "rule": group.rule,
        "rule_quality": None if group.rule_quality is None else dict(group.rule_quality),
    }


def group_of(row: ModelCluster) -> Group:
    """As the trainer made it, without its members."""
    profile = ClusterProfile.model_validate(row.profile)
    return Group(
        number=row.cluster,
        name=LocalText.model_validate(row.name) if row.name else profile.description,
        size=row.size,
        description=profile.description,
        profile=profile.contrasts,
        centre=row.centre,
        rule=row.rule,
        rule_quality=row.rule_quality,
    )


async def _insert(session: AsyncSession, table: type[Any], rows: list[dict[str, Any]]) -> None:
    if rows:
        await session.execute(insert(table), rows)


async def _forget_inputs(session: AsyncSession, model_id: UUID) -> None:
    """Only the newest runs and those approved can be trained again: inputs are large."""
    newest = (
        select(ModelRun.id)
        .where(ModelRun.model_id == model_id, ModelRun.state == RunState.succeeded)
        .order_by(ModelRun.number.desc())
        .limit(_KEPT_RUNS)
    )
    old = select(ModelRun.id).where(
        ModelRun.model_id == model_id, ModelRun.id.not_in(newest), ModelRun.approved_at.is_(None)
    )
    await session.execute(delete(ModelInput).where(ModelInput.run_id.in_(old)))


def _json(value: dict[str, Any]) -> dict[str, Any]:
    """As PostgreSQL keeps it: what is not a number in JSON is null."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))
    return found
