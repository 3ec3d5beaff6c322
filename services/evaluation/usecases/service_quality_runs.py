"""Running a model of service quality: read what was observed, estimate in a thread, keep all or nothing."""

import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession
from threadpoolctl import threadpool_limits

from services.evaluation.domain.quality_results import NoIndex, Options, Quality, Units
from services.evaluation.domain.quality_samples import Dimension, Sample
from services.evaluation.domain.service_quality import assess_quality
from services.evaluation.models import QualityObservation, QualityRunRow
from services.evaluation.queries import service_quality as queries
from services.evaluation.queries import service_quality_documents as documents
from services.evaluation.usecases.service_quality_files import observed
from shared import clock, pulse
from shared.contracts.evaluation.service_quality import (
    Indicator,
    QualityBusiness,
    QualityModelCreate,
    QualityRun,
)
from shared.contracts.metrics import Better
from shared.db import fetch
from shared.errors import Unprocessable
from shared.jobs import JobRun
from shared.pulse import Pulse

_TURN = threading.Semaphore(1)
"""One estimation at a time in a process: each keeps the scores of all its samples."""

_INSERT = """
    INSERT INTO service_quality_index (run_id, org_path, period, row)
    SELECT %(run)s, part.branch, part.period, part.document::jsonb
    FROM unnest(%(branches)b::text[], %(periods)b::text[], %(documents)b::text[])
        AS part(branch, period, document)
"""


@dataclass(frozen=True)
class Gathered:
    """Observations as the estimation takes them. `units`: branch and month by number; `periods` by number."""

    samples: list[Sample]
    units: list[tuple[str, str]]
    periods: list[str]
    left_out: dict[str, str]
    input_hash: str

    def numbered(self) -> Units:
        branches = {branch: number for number, branch in enumerate(sorted({unit[0] for unit in self.units}))}
        months = {month: number for number, month in enumerate(self.periods)}
        return Units(
            np.array([branches[branch] for branch, _ in self.units], dtype=np.intp),
            np.array([months[month] for _, month in self.units], dtype=np.intp),
        )


async def run_service_quality(job: JobRun) -> dict[str, Any]:
    """Estimate the index and keep it. A repetition finds what an earlier attempt has kept."""
    key, number = job.args["model"], job.args["version"]
    async with job.runtime.db.transaction() as session:
        kept = await session.get(QualityRunRow, job.id)
        if kept is not None:
            return _told(QualityRun.model_validate(kept.document))
        model = await queries.definition(session, key, number)
        gathered = gather(model, await queries.blocks(session, key, job.args["periods"]), job.args["periods"])
    options = Options(
        scheme=model.scheme, replicates=job.args["replicates"], seed=job.args["seed"], alpha=0.05
    )
    quality = await pulse.in_thread(job, lambda beat: _estimate(gathered, options, beat), end=0.95)
    if isinstance(quality, NoIndex):
        raise Unprocessable(quality.detail, slug=f"service-quality-{quality.code}")
    found = _document(job.id, model, number, gathered, quality, options)
    async with job.runtime.db.transaction() as session:
        await _keep(session, found, job.principal, documents.branch_rows(quality, gathered.units))
    return _told(found)


def _told(found: QualityRun) -> dict[str, Any]:
    return {
        "result": f"/v1/service-quality/models/{found.model}/index",
        "run_id": str(found.id),
        "comparable": found.comparable,
    }


def _estimate(gathered: Gathered, options: Options, beat: Pulse) -> Quality | NoIndex:
    while not _TURN.acquire(timeout=pulse.LOOK_SECONDS):
        beat.check()
    try:
        # Sums by several threads differ in their last bits from run to run.
        with threadpool_limits(1):
            return assess_quality(
                gathered.samples,
                gathered.numbered(),
                options,
                lambda done: beat.tell(done, "drawing samples"),
            )
    finally:
        _TURN.release()


def gather(model: QualityModelCreate, blocks: Sequence[QualityObservation], asked: Sequence[str]) -> Gathered:
    """What was observed, as samples; months that lack an indicator of this version are left out, and those
    that were taken away since they were asked for.
    """
    gone = dict.fromkeys(sorted(set(asked) - {block.period for block in blocks}), "taken away")
    left_out = _lacking(model, blocks) | gone
    used = [block for block in blocks if block.period not in left_out]
    units = sorted({(block.org_path, block.period) for block in used})
    place = {unit: number for number, unit in enumerate(units)}
    samples = [
        _sample(business, model, [block for block in used if block.business == business.key], place)
        for business in model.businesses
    ]
    return Gathered(samples, units, sorted({unit[1] for unit in units}), left_out, _input_hash(model, used))


def _lacking(model: QualityModelCreate, blocks: Sequence[QualityObservation]) -> dict[str, str]:
    needed = {business.key: {one.key for one in observed(business, model)} for business in model.businesses}
    lacking: dict[str, set[str]] = {}
    for block in blocks:
        missing = needed.get(block.business, set()) - set(block.indicators)
        if missing:
            lacking.setdefault(block.period, set()).update(missing)
    return {period: f"not observed: {', '.join(sorted(names))}" for period, names in sorted(lacking.items())}


def _sample(
    business: QualityBusiness,
    model: QualityModelCreate,
    blocks: Sequence[QualityObservation],
    place: dict[tuple[str, str], int],
) -> Sample:
    if not blocks:
        raise Unprocessable(
            f"{business.key}: nothing was observed in these months.", slug="service-quality-too-few"
        )
    indicators = observed(business, model)
    column = {one.key: number for number, one in enumerate(indicators)}
    ordered = sorted(blocks, key=lambda block: place[block.org_path, block.period])
    numbers = [place[block.org_path, block.period] for block in ordered]
    return Sample(
        business=business.key,
        indicators=tuple(column),
        dimensions=tuple(
            Dimension(
                part.dimension,
                tuple(column[one.key] for one in part.indicators),
                "A" if part.mode == "reflective" else "B",
            )
            for part in business.dimensions
        ),
        values=np.concatenate([_values(block, indicators) for block in ordered]),
        units=np.repeat(np.array(numbers, dtype=np.intp), [block.rows for block in ordered]),
        outcomes=tuple(column[one.key] for one in business.outcomes),
        overall=tuple(column[one.key] for one in model.overall),
    )


def _values(block: QualityObservation, indicators: Sequence[Indicator]) -> NDArray[np.float64]:
    """(n, p) turned so that higher is better."""
    kept = np.frombuffer(block.values, "<f8").reshape(block.rows, len(block.indicators))
    sign = np.array([1.0 if one.better is Better.HIGHER else -1.0 for one in indicators])
    at = [block.indicators.index(one.key) for one in indicators]
    return np.asarray(kept[:, at] * sign)


def _input_hash(model: QualityModelCreate, blocks: Iterable[QualityObservation]) -> str:
    """Changes when anything the result rests on does: the model, or any value observed."""
    whole = hashlib.sha256(orjson.dumps(model.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS))
    for block in blocks:
        head = [block.period, block.business, block.org_path, block.indicators, block.rows]
        whole.update(orjson.dumps(head))
        whole.update(block.values)
    return whole.hexdigest()


def _document(
    run_id: UUID,
    model: QualityModelCreate,
    number: int,
    gathered: Gathered,
    quality: Quality,
    options: Options,
) -> QualityRun:
    return QualityRun(
        id=run_id,
        model=model.key,
        version=number,
        ran_at=clock.now(),
        periods=gathered.periods,
        left_out_periods=gathered.left_out,
        rows=sum(len(sample.values) for sample in gathered.samples),
        replicates=quality.replicates,
        seed=options.seed,
        comparable=not quality.unreliable,
        unreliable=quality.unreliable,
        shares=[documents.path_weight(path) for path in quality.shares],
        businesses=[documents.business_result(fit) for fit in quality.businesses],
        r_squared=quality.bank_r_squared,
        bank=documents.bank_index(quality, gathered.periods),
        code_version=version("huanying"),
        input_hash=gathered.input_hash,
    )


async def _keep(
    session: AsyncSession, found: QualityRun, principal: str, rows: list[tuple[str, str, dict[str, Any]]]
) -> None:
    session.add(
        QualityRunRow(
            id=found.id,
            model_key=found.model,
            version=found.version,
            ran_at=found.ran_at,
            created_by=principal,
            document=found.model_dump(mode="json"),
        )
    )
    await session.flush()
    await fetch(
        session,
        _INSERT,
        {
            "run": found.id,
            "branches": [row[0] for row in rows],
            "periods": [row[1] for row in rows],
            "documents": [orjson.dumps(row[2]).decode() for row in rows],
        },
    )
