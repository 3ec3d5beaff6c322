"""Models of service quality: declared, fed with observations, run."""

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.models import QualityModelRow, QualityObservation
from services.evaluation.queries import service_quality as queries
from services.evaluation.usecases.service_quality_files import Block, Checked
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.contracts.evaluation.service_quality import (
    ObservationsTaken,
    ObservedPeriods,
    QualityModel,
    QualityModelCreate,
    QualityRunRequest,
)
from shared.db import fetch
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.jobs import defer

RUN = "run-service-quality"
_LITTLE_ENDIAN = "<f8"

_INSERT = """
    INSERT INTO service_quality_observation
        (model_key, period, business, org_path, version, indicators, rows, "values")
    SELECT %(key)s, %(period)s, part.business, part.branch, %(version)s, part.indicators::jsonb, part.rows,
           part.packed
    FROM unnest(%(businesses)b::text[], %(branches)b::text[], %(indicators)b::text[], %(rows)b::int[],
                %(packed)b::bytea[]) AS part(business, branch, indicators, rows, packed)
"""


async def declare(session: AsyncSession, principal: Principal, model: QualityModelCreate) -> QualityModel:
    """The next version of the key's model; the first post of a key makes version 1."""
    newest = await session.scalar(queries.newest_version(model.key).with_for_update())
    version = newest.version + 1 if newest else 1
    row = await session.scalar(
        insert(QualityModelRow)
        .values(
            key=model.key,
            version=version,
            definition=model.model_dump(mode="json"),
            created_at=clock.now(),
            created_by=principal.id,
        )
        .on_conflict_do_nothing()
        .returning(QualityModelRow)
    )
    if row is None:
        raise Conflict(f"Somebody else has just declared version {version} of {model.key!r}: read it first.")
    audit(session, principal, "service-quality.declare", model.key, {"version": version})
    return await queries.model(session, model.key)


async def replace_observations(
    session: AsyncSession,
    principal: Principal,
    model: QualityModel,
    period: str,
    checked: Checked,
    *,
    skip_invalid: bool,
) -> ObservationsTaken:
    """The month's observations are those of the file from now on: all of it, or nothing of it. `model`: the
    version the file was checked by.
    """
    if checked.refused and not skip_invalid:
        raise _refused(checked, f"{checked.refused} lines cannot be taken; nothing was changed.")
    if not checked.blocks:
        raise _refused(checked, "The file holds no observation that can be taken; nothing was changed.")
    # Uploads of one model wait for each other.
    await session.execute(queries.newest_version(model.key).with_for_update())
    old = QualityObservation.model_key == model.key, QualityObservation.period == period
    await session.execute(delete(QualityObservation).where(*old))
    await _insert(session, model, period, checked.blocks)
    taken = ObservationsTaken(
        model=model.key,
        version=model.version,
        period=period,
        rows=sum(len(block.values) for block in checked.blocks),
        branches=len({block.branch for block in checked.blocks}),
        refused=checked.refused,
        errors=checked.errors,
        ignored_columns=checked.ignored,
    )
    detail = {"period": period, "rows": taken.rows, "refused": taken.refused}
    audit(session, principal, "service-quality.observe", model.key, detail)
    return taken


async def take_away(session: AsyncSession, principal: Principal, key: str, period: str) -> ObservedPeriods:
    """All observations of a month. NotFound when there are none."""
    await queries.model(session, key)
    await session.execute(queries.newest_version(key).with_for_update())
    of = QualityObservation
    gone = await session.scalars(
        delete(of).where(of.model_key == key, of.period == period).returning(of.rows)
    )
    rows = sum(gone)
    if not rows:
        raise NotFound(f"The model {key!r} has no observations of {period}.", slug="no-observations")
    left = await queries.observed_periods(session, key)
    audit(session, principal, "service-quality.take-away", key, {"period": period, "rows": rows})
    return left


def _refused(checked: Checked, detail: str) -> Unprocessable:
    errors = [
        FieldError(f"/lines/{error.line}" + (f"/{error.column}" if error.column else ""), error.detail)
        for error in checked.errors
    ]
    return Unprocessable(detail, slug="rows-invalid", errors=errors)


async def _insert(session: AsyncSession, model: QualityModel, period: str, blocks: list[Block]) -> None:
    await fetch(
        session,
        _INSERT,
        {
            "key": model.key,
            "period": period,
            "version": model.version,
            "businesses": [block.business for block in blocks],
            "branches": [block.branch for block in blocks],
            "indicators": [orjson.dumps(block.indicators).decode() for block in blocks],
            "rows": [len(block.values) for block in blocks],
            "packed": [block.values.astype(_LITTLE_ENDIAN).tobytes() for block in blocks],
        },
    )


async def request_run(
    session: AsyncSession, principal: Principal, key: str, asked: QualityRunRequest
) -> JobView:
    """Queue a run of the newest version. Conflict when there is nothing to run it on."""
    model = await queries.model(session, key)
    there = await session.scalars(
        select(QualityObservation.period).where(QualityObservation.model_key == key).distinct()
    )
    periods = set(there)
    if not periods:
        raise Conflict("The model has no observations yet: upload some first.", slug="no-observations")
    unknown = sorted(set(asked.periods or ()) - periods)
    if unknown:
        raise Unprocessable(
            f"There are no observations of {', '.join(unknown)}.",
            errors=[FieldError("/periods", f"has {unknown[0]}, of which nothing was observed")],
        )
    job = await defer(
        session,
        principal,
        RUN,
        {
            "model": key,
            "version": model.version,
            "periods": sorted(set(asked.periods or periods)),
            "replicates": asked.replicates,
            "seed": asked.seed,
        },
    )
    audit(session, principal, "service-quality.run", key, {"run": str(job.id), "version": model.version})
    return job
