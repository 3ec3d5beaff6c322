"""What came out of a run: table of K, drift, picture, doubtful customers, record."""

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.stability import stability_level
from services.segmentation.models import (
    Model,
    ModelCluster,
    ModelInput,
    ModelRun,
    ModelScore,
    Segment,
    SegmentVersion,
)
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.models import PARAMETERS, approval_of
from services.segmentation.queries.scores import GROUP, Row, rows_in, rows_of, score_columns, split_group
from services.segmentation.store import reading
from services.segmentation.store.parts import PART_BITS, Table
from services.segmentation.store.store import Store
from shared.contracts.base import LocalText, Page
from shared.contracts.segmentation.clusters import DriftView, KTableView
from shared.contracts.segmentation.models import (
    BorderlineCustomer,
    CustomerScore,
    DataWindow,
    ModelKind,
    ModelRecord,
    ProjectedCustomer,
    Projection,
    Reproduction,
    RunState,
)
from shared.contracts.segmentation.predictions import PredictionReport
from shared.errors import BadRequest, NotFound
from shared.pagination import PageRequest, encode_cursor

_CHUNK = 5_000
DEGREE = "degree_"


def k_table_view(run: ModelRun) -> KTableView:
    return KTableView.model_validate(
        _reported(run, "k_table", "This kind of model compares no numbers of groups.")
    )


async def drift_view(session: AsyncSession, run: ModelRun) -> DriftView:
    told = dict(_reported(run, "drift", "There is no run before of this model to compare with."))
    catalogue = await load_catalogue(session)
    told["features"] = [{**each, "name": _name(catalogue, each["feature"])} for each in told["features"]]
    return DriftView.model_validate(told)


def prediction_report(run: ModelRun) -> PredictionReport:
    otherwise = "This kind of model is not validated out of time: see its metrics."
    _reported(run, "validation", otherwise)
    told = dict(run.report or {})
    # Runs of earlier releases kept no level.
    told["stability"] = [{**each, "level": stability_level(each["psi"])} for each in told["stability"]]
    return PredictionReport.model_validate(told)


def _reported(run: ModelRun, name: str, otherwise: str) -> Any:
    found = (run.report or {}).get(name)
    if found is None:
        raise NotFound(otherwise)
    return found


def _name(catalogue: Catalogue, feature: str) -> LocalText:
    if feature not in catalogue:
        return LocalText(zh=feature, en=feature)
    return LocalText(zh=catalogue[feature].zh, en=catalogue[feature].en)


async def projection_view(session: AsyncSession, store: Store, run: ModelRun, org: str) -> Projection:
    told = _reported(run, "projection", "This kind of model has no picture of its features.")
    ordinals = np.array(told["ordinals"], dtype=np.uint32)
    scores = await rows_of(session, run.id, told["ordinals"])
    rows = await store.run(lambda cursor: reading.members_in_scope(cursor, ordinals, org, len(ordinals)))
    place = {ordinal: number for number, ordinal in enumerate(told["ordinals"])}
    return Projection(
        explained=told["explained"],
        loadings=told["loadings"],
        points=[
            _projected(customer_id, told, place[ordinal], scores[ordinal]) for ordinal, customer_id, _ in rows
        ],
    )


def _projected(customer_id: UUID, told: Any, place: int, row: Row) -> ProjectedCustomer:
    group, scores = split_group(row)
    return ProjectedCustomer(
        customer_id=customer_id,
        x=told["x"][place],
        y=told["y"][place],
        cluster=group or 0,
        degree=scores.get(f"{DEGREE}{group}"),
    )


async def borderline_page(
    session: AsyncSession, store: Store, run: ModelRun, org: str, page: PageRequest
) -> Page[BorderlineCustomer]:
    """Smallest lead of the first group over the second first, within the caller's organisation."""
    table = await score_columns(session, run.id)
    if "borderline" not in table:
        raise NotFound("This kind of model has no degrees of membership.")
    places, margin = _doubtful(table, page)
    items: list[tuple[float, int, BorderlineCustomer]] = []
    for start in range(0, len(places), _CHUNK):
        chosen = places[start : start + _CHUNK]
        ordinals = table["ordinal"][chosen]
        scope = await _ids(store, ordinals, org)
        for place, ordinal in zip(chosen.tolist(), ordinals.tolist(), strict=True):
            if ordinal in scope:
                items.append((float(margin[place]), ordinal, _doubted(table, place, scope[ordinal])))
        if len(items) > page.limit:
            break
    shown = items[: page.limit]
    more = len(items) > page.limit
    return Page(
        items=[item for *_, item in shown], next_cursor=encode_cursor(shown[-1][:2]) if more else None
    )


async def _ids(store: Store, ordinals: NDArray[np.uint32], org: str) -> dict[int, UUID]:
    rows = await store.run(lambda cursor: reading.members_in_scope(cursor, ordinals, org, len(ordinals)))
    return {ordinal: customer_id for ordinal, customer_id, _ in rows}


def _doubtful(table: Table, page: PageRequest) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Places of the doubtful behind the cursor in order, and everybody's lead."""
    degrees = np.sort(_degrees(table)[1], axis=1)
    margin = degrees[:, -1] - (degrees[:, -2] if degrees.shape[1] > 1 else 0.0)
    places = np.flatnonzero((table["borderline"] > 0) | (table["outlier"] > 0))
    places = places[np.lexsort((table["ordinal"][places], margin[places]))]
    after = page.after()
    if after is not None:
        if len(after) != 2 or not isinstance(after[0], float) or not isinstance(after[1], int):
            raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")
        lead, ordinals = margin[places], table["ordinal"][places]
        places = places[(lead > after[0]) | ((lead == after[0]) & (ordinals > after[1]))]
    return places, margin


def _degrees(table: Table) -> tuple[list[int], NDArray[np.float64]]:
    """Group numbers and (N, k) degrees."""
    numbers = sorted(int(name.removeprefix(DEGREE)) for name in table if name.startswith(DEGREE))
    columns = [table[f"{DEGREE}{number}"].astype(np.float64) for number in numbers]
    return numbers, np.column_stack(columns)


def _doubted(table: Table, place: int, customer_id: UUID) -> BorderlineCustomer:
    own = int(table[GROUP][place])
    degrees = {
        int(name.removeprefix(DEGREE)): float(values[place])
        for name, values in table.items()
        if name.startswith(DEGREE)
    }
    others = {number: degree for number, degree in degrees.items() if number != own}
    second = max(others, key=others.__getitem__, default=None)
    return BorderlineCustomer(
        customer_id=customer_id,
        cluster=own,
        degree=degrees.get(own, 0.0),
        second=second,
        second_degree=0.0 if second is None else others[second],
        cohesion=float(table["cohesion"][place]),
        outlier=bool(table["outlier"][place]),
    )


async def customer_scores(session: AsyncSession, ordinal: int) -> list[CustomerScore]:
    """Of each model's newest run that succeeded, where it saw the customer; by key of the model."""
    newest = (
        select(ModelRun.id)
        .where(ModelRun.model_id == Model.id, ModelRun.state == RunState.succeeded)
        .order_by(ModelRun.number.desc())
        .limit(1)
        .correlate(Model)
        .scalar_subquery()
    )
    seen = (ModelScore.run_id == ModelRun.id) & (ModelScore.part == ordinal >> PART_BITS)
    parts = await session.execute(
        select(Model, ModelRun, ModelScore.payload)
        .join(ModelRun, ModelRun.id == newest)
        .join(ModelScore, seen)
        .order_by(Model.key)
    )
    stored = parts.all()
    wanted = np.array([ordinal], dtype=np.uint32)
    rows = await asyncio.to_thread(lambda: [rows_in(bytes(payload), wanted) for *_, payload in stored])
    found = [
        (model, run, *split_group(row[ordinal]))
        for (model, run, _), row in zip(stored, rows, strict=True)
        if ordinal in row
    ]
    names = await _cluster_names(session, [(run.id, group) for _, run, group, _ in found if group])
    return [
        CustomerScore(
            model_id=model.id,
            model_key=model.key,
            kind=ModelKind(model.kind),
            name=LocalText.model_validate(model.name),
            run_id=run.id,
            finished_at=_finished(run),
            cluster=group or None,
            cluster_name=names.get((run.id, group)) if group else None,
            scores=scores,
        )
        for model, run, group, scores in found
    ]


async def _cluster_names(
    session: AsyncSession, clusters: Collection[tuple[UUID, int]]
) -> dict[tuple[UUID, int], LocalText]:
    rows = await session.execute(
        select(ModelCluster.run_id, ModelCluster.cluster, ModelCluster.name).where(
            tuple_(ModelCluster.run_id, ModelCluster.cluster).in_(clusters)
        )
    )
    return {(run_id, number): LocalText.model_validate(name) for run_id, number, name in rows if name}


async def record_of(session: AsyncSession, run: ModelRun) -> ModelRecord:
    model = await session.get_one(Model, run.model_id)
    kept = await session.scalar(select(ModelInput.run_id).where(ModelInput.run_id == run.id).limit(1))
    published = await session.scalars(
        select(Segment.key)
        .join(SegmentVersion, SegmentVersion.segment_id == Segment.id)
        .where(SegmentVersion.run_id == run.id)
        .distinct()
        .order_by(Segment.key)
    )
    return ModelRecord(
        run_id=run.id,
        model_key=model.key,
        number=run.number,
        goal=model.goal,
        success=model.success,
        window=DataWindow.model_validate(run.window),
        understanding=run.understanding or {},
        preparation=run.preparation or {},
        parameters=PARAMETERS.validate_python(run.parameters),
        seed=int(run.parameters.get("seed", 0)),
        versions=run.versions or {},
        metrics=run.metrics or {},
        input_digest=run.input_digest or "",
        result_digest=run.result_digest or "",
        input_kept=kept is not None,
        reproduction=Reproduction.model_validate(run.reproduction) if run.reproduction else None,
        approval=approval_of(run),
        segments=list(published),
        created_by=run.created_by,
        created_at=run.created_at,
        finished_at=_finished(run),
    )


def _finished(run: ModelRun) -> datetime:
    if run.finished_at is None:
        raise ValueError(f"run {run.id} has succeeded and has no end")
    return run.finished_at
