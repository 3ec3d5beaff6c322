"""Churn warnings: raised after a run, acknowledged and closed by people, following who is whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

import duckdb
import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.features import Catalogue, Feature
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.models import ChurnWarning, Model, ModelRun
from services.segmentation.queries.churn_warnings import ACTIVE
from services.segmentation.queries.erasures import erased_ordinals
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.models import find_run
from services.segmentation.queries.scores import GROUP, score_columns
from services.segmentation.store.parts import Table
from services.segmentation.store.store import Store
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.contracts.events import ChurnWarningRaised, CustomersMerged, CustomersUnmerged, OwnershipChanged
from shared.contracts.segmentation import ModelKind, RunState
from shared.contracts.segmentation.churn_warnings import WarningOutcome, WarningState
from shared.db import fetch
from shared.errors import Conflict, FieldError, Unprocessable
from shared.ids import new_id
from shared.jobs import JobRun, defer
from shared.outbox import emit_facts

RAISE = "raise-churn-warnings"

# One active warning a customer and model: a later run renews it, the same run changes nothing. What people
# closed since this run is not opened again by it.
_RAISE: LiteralString = """
INSERT INTO churn_warning (id, model_id, run_id, customer_id, ordinal, org_path, primary_manager,
  probability, assets, at_stake, reasons, state, first_raised_at, raised_at)
SELECT id, %(model_id)s, %(run_id)s, customer_id, ordinal, org, manager, probability, assets, at_stake,
  reasons::jsonb, 'open', %(now)s, %(now)s
FROM unnest(%(id)b::uuid[], %(customer_id)b::uuid[], %(ordinal)b::int[], %(org)b::text[],
  %(manager)b::text[], %(probability)b::float8[], %(assets)b::numeric[], %(at_stake)b::numeric[],
  %(reasons)b::text[])
  AS n(id, customer_id, ordinal, org, manager, probability, assets, at_stake, reasons)
WHERE NOT EXISTS (SELECT 1 FROM churn_warning w
  WHERE w.model_id = %(model_id)s AND w.run_id = %(run_id)s AND w.ordinal = n.ordinal AND w.state = 'closed')
ORDER BY ordinal
ON CONFLICT (model_id, ordinal) WHERE state IN ('open', 'acknowledged') DO UPDATE SET
  run_id = excluded.run_id, org_path = excluded.org_path, primary_manager = excluded.primary_manager,
  probability = excluded.probability, assets = excluded.assets, at_stake = excluded.at_stake,
  reasons = excluded.reasons, raised_at = excluded.raised_at, runs = churn_warning.runs + 1
WHERE churn_warning.run_id <> excluded.run_id
RETURNING customer_id, json_build_object('warning_id', id, 'customer_id', customer_id, 'org', org_path,
  'primary_manager', primary_manager, 'model', %(model)s::text, 'run_id', run_id,
  'probability', probability, 'at_stake', at_stake::text, 'raised_at', raised_at,
  'reasons', (SELECT coalesce(json_agg(r -> 'feature'), '[]') FROM jsonb_array_elements(reasons) r))::text
"""

_FOLLOW_OWNERS: LiteralString = """
UPDATE churn_warning SET org_path = n.org, primary_manager = n.manager
FROM unnest(%(customer_id)b::uuid[], %(org)b::text[], %(manager)b::text[]) AS n(customer_id, org, manager)
WHERE churn_warning.customer_id = n.customer_id
"""

_FOLLOW_MERGES: LiteralString = """
UPDATE churn_warning SET survivor_id = n.survivor, regrouped_at = %(at)s
FROM unnest(%(customer_id)b::uuid[], %(survivor)b::uuid[]) AS n(customer_id, survivor)
WHERE churn_warning.customer_id = n.customer_id AND coalesce(regrouped_at <= %(at)s, true)
"""


@dataclass(frozen=True)
class Listed:
    """A customer of the list as the store knows them now."""

    ordinal: int
    customer_id: UUID
    org: str
    manager: str | None
    assets: Decimal
    values: tuple[float | None, ...]


async def request_raise(session: AsyncSession, principal: Principal, run_id: UUID) -> JobView:
    """Queues it. Raises `NotFound`, `Conflict` for what is not the newest finished run of a churn model."""
    run = await find_run(session, run_id)
    model = await session.get_one(Model, run.model_id)
    await _check(session, model, run)
    job = await defer(session, principal, RAISE, {"run_id": str(run_id)})
    audit(session, principal, "raise-warnings", f"model-run/{run_id}")
    return job


async def _check(session: AsyncSession, model: Model, run: ModelRun) -> None:
    if model.kind != ModelKind.churn:
        detail = f"is of a model of kind {model.kind}"
        raise Unprocessable("Only churn models warn.", errors=[FieldError("/run_id", detail)])
    if run.state != RunState.succeeded:
        raise Conflict(f"The run is {run.state}: it has no result.")
    if model.needs_approval and run.approved_at is None:
        raise Conflict("Runs of this model warn only after their approval.")
    newest = await session.scalar(
        select(func.max(ModelRun.number)).where(
            ModelRun.model_id == model.id, ModelRun.state == RunState.succeeded
        )
    )
    if run.number != newest:
        raise Conflict(f"Run {newest} of the model is newer: raise the warnings of that one.")


async def raise_requested(job: JobRun) -> dict[str, Any]:
    return await raise_warnings(job, UUID(job.args["run_id"]))


async def warn_after(job: JobRun, run_id: UUID) -> dict[str, Any]:
    """What follows a run: its warnings, if it is a churn model's that needs no approval."""
    async with job.runtime.db.transaction() as session:
        run = await session.get_one(ModelRun, run_id)
        model = await session.get_one(Model, run.model_id)
        if model.kind != ModelKind.churn or model.needs_approval or run.state != RunState.succeeded:
            return {}
    try:
        return await raise_warnings(job, run_id)
    except Conflict:
        # A newer run has finished meanwhile, and warns instead.
        return {}


async def raise_warnings(job: JobRun, run_id: UUID) -> dict[str, Any]:
    """Warnings for the customers the run lists, and the end of those it lists no more. Again: nothing."""
    store = job.runtime.resource(Store)
    async with job.runtime.db.transaction() as session:
        run = await find_run(session, run_id)
        model = await session.get_one(Model, run.model_id)
        columns = await score_columns(session, run_id)
        catalogue = await load_catalogue(session)
    await job.progress(0.92, "warning")
    table = _listed_rows(columns)
    keys = list((run.preparation or {})["features"])
    features = [catalogue[key] for key in keys]
    known = await store.run(lambda cursor: _known(cursor, table["ordinal"], keys, catalogue))
    async with job.runtime.db.transaction(actor=job.principal) as session:
        await lock_warnings(session)
        await session.refresh(await session.get_one(Model, model.id), with_for_update=True)
        await _check(session, model, run)
        gone = await erased_ordinals(session)
        rows = _rows(table, [each for each in known if each.ordinal not in gone], features)
        raised = await _raise(session, model, run, rows)
        await emit_facts(session, ChurnWarningRaised, "warnings", raised)
        lapsed = await _lapse(session, model, run)
    return {"warnings": len(raised), "lapsed": lapsed}


def _listed_rows(columns: Table) -> Table:
    listed = columns[GROUP] == 1 if GROUP in columns else np.zeros(len(columns["ordinal"]), dtype=np.bool_)
    return {name: values[listed] for name, values in columns.items()}


def _known(
    cursor: duckdb.DuckDBPyConnection,
    ordinals: NDArray[np.uint32],
    keys: Sequence[str],
    catalogue: Catalogue,
) -> list[Listed]:
    """Those of the customers who are still asked for, with their exact assets and their features now."""
    compiler = Compiler(catalogue, Moment(clock.now(), clock.ZONE))
    compiler.add_feature("assets", "aum")
    for number, key in enumerate(keys):
        compiler.add_feature(f"f{number}", key, numeric=True)
    query = compiler.query(only=ordinals.tolist())
    found = {row[0]: row[1:] for row in cursor.execute(query.sql, dict(query.parameters)).fetchall()}
    return [
        Listed(ordinal, customer_id, org, manager, Decimal(assets), tuple(values))
        for ordinal, customer_id, org, manager in _owners(cursor, list(found))
        for assets, *values in [found[ordinal]]
    ]


def _owners(
    cursor: duckdb.DuckDBPyConnection, ordinals: list[int]
) -> list[tuple[int, UUID, str, str | None]]:
    return cursor.execute(
        "SELECT ordinal, customer_id, org, primary_manager FROM customer "
        "WHERE ordinal IN (SELECT unnest($1::INTEGER[])) ORDER BY ordinal",
        [ordinals],
    ).fetchall()


def _rows(table: Table, known: Sequence[Listed], features: Sequence[Feature]) -> dict[str, list[Any]]:
    """The columns of `_RAISE`."""
    places = {int(ordinal): place for place, ordinal in enumerate(table["ordinal"])}
    rows: dict[str, list[Any]] = {
        name: []
        for name in (
            "id", "customer_id", "ordinal", "org", "manager", "probability", "assets", "at_stake", "reasons"
        )
    }  # fmt: skip
    for each in known:
        place = places[each.ordinal]
        probability = round(float(table["probability"][place]), 6)
        rows["id"].append(new_id())
        rows["customer_id"].append(each.customer_id)
        rows["ordinal"].append(each.ordinal)
        rows["org"].append(each.org)
        rows["manager"].append(each.manager)
        rows["probability"].append(probability)
        rows["assets"].append(each.assets)
        rows["at_stake"].append((each.assets * Decimal(probability)).quantize(Decimal("0.01")))
        rows["reasons"].append(orjson.dumps(_reasons(table, place, each, features)).decode())
    return rows


def _reasons(table: Table, place: int, each: Listed, features: Sequence[Feature]) -> list[dict[str, Any]]:
    found = []
    number = 1
    while f"reason_{number}" in table and np.isfinite(table[f"reason_{number}"][place]):
        index = int(table[f"reason_{number}"][place])
        feature = features[index]
        found.append(
            {
                "feature": feature.key,
                "name": {"zh": feature.zh, "en": feature.en},
                "value": each.values[index],
                "unit": feature.unit,
                "effect": round(float(table[f"effect_{number}"][place]), 4),
            }
        )
        number += 1
    return found


async def _raise(
    session: AsyncSession, model: Model, run: ModelRun, rows: dict[str, list[Any]]
) -> list[tuple[UUID, bytes]]:
    """Those new to this run, as facts to publish."""
    if not rows["id"]:
        return []
    parameters = {"model_id": model.id, "run_id": run.id, "model": model.key, "now": clock.now(), **rows}
    return [(id_, fact.encode()) for id_, fact in await fetch(session, _RAISE, parameters)]


async def _lapse(session: AsyncSession, model: Model, run: ModelRun) -> int:
    """Ends what earlier runs of the model raised and this one did not, where nobody has taken it up."""
    ended = await session.execute(
        update(ChurnWarning)
        .where(
            ChurnWarning.model_id == model.id,
            ChurnWarning.run_id != run.id,
            ChurnWarning.state == WarningState.open,
        )
        .values(state=WarningState.lapsed, closed_at=clock.now())
        .returning(ChurnWarning.id)
    )
    return len(ended.all())


async def acknowledge(session: AsyncSession, principal: Principal, warning: ChurnWarning) -> None:
    """Raises `Conflict` unless it is open. `warning` is locked."""
    if warning.state != WarningState.open:
        raise Conflict(f"The warning is {warning.state}: only an open one can be acknowledged.")
    warning.state = WarningState.acknowledged
    warning.acknowledged_by, warning.acknowledged_at = principal.id, clock.now()
    await session.flush()
    audit(session, principal, "acknowledge", f"churn-warning/{warning.id}", org_path=warning.org_path)


async def close(
    session: AsyncSession, principal: Principal, warning: ChurnWarning, outcome: WarningOutcome
) -> None:
    """Raises `Conflict` unless it is open or acknowledged. `warning` is locked."""
    if warning.state not in ACTIVE:
        raise Conflict(f"The warning is {warning.state}: it cannot be closed.")
    warning.state, warning.outcome = WarningState.closed, outcome
    warning.closed_by, warning.closed_at = principal.id, clock.now()
    await session.flush()
    detail = {"outcome": outcome}
    audit(session, principal, "close", f"churn-warning/{warning.id}", detail, org_path=warning.org_path)


async def follow_owners(session: AsyncSession, event: OwnershipChanged) -> None:
    """Whoever looks after the customer now sees the warning."""
    await fetch(
        session,
        _FOLLOW_OWNERS,
        {
            "customer_id": [each.customer_id for each in event.changes],
            "org": [each.after.org for each in event.changes],
            "manager": [each.after.primary_manager for each in event.changes],
        },
    )


async def follow_merges(session: AsyncSession, event: CustomersMerged | CustomersUnmerged) -> None:
    """A warning is the survivor's while its customer is merged, and its own again after."""
    if isinstance(event, CustomersMerged):
        at = event.merged_at
        pairs: list[tuple[UUID, UUID | None]] = [
            (each.customer_id, event.survivor.customer_id) for each in event.merged
        ]
    else:
        at = event.unmerged_at
        pairs = [
            (each.customer_id, each.merged_into.customer_id if each.merged_into else None)
            for each in event.separated
        ]
    ids, survivors = ([pair[place] for pair in pairs] for place in (0, 1))
    await fetch(session, _FOLLOW_MERGES, {"customer_id": ids, "survivor": survivors, "at": at})


async def lock_warnings(session: AsyncSession) -> None:
    """Between raising and forgetting: a warning of somebody erased must not be written after."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('huanying.churn_warning'))"))


async def forget_warnings(session: AsyncSession, ordinals: Sequence[int]) -> None:
    """Deletes all warnings of erased customers."""
    await lock_warnings(session)
    await session.execute(delete(ChurnWarning).where(ChurnWarning.ordinal.in_(ordinals)))
