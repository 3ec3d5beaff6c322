"""The monthly calculation as a job: by chunks beside the current figures, then all in their place at once."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.value import BANDS, due_month, terms_of
from services.customer.models import (
    Product,
    ValueBenchmark,
    ValueModel,
    ValueModelVersion,
    ValueRun,
    ValueRunTotal,
)
from services.customer.queries.value_peers import peer_parameters
from services.customer.usecases import value_statements as sql
from services.customer.usecases.value_models import queue_run, refuse_missing_rates
from services.customer.usecases.value_publishing import publish_values
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer.value import EventRate, ValueModelWrite
from shared.db import SYSTEM, fetch
from shared.jobs import CancelledJobError, JobRun
from shared.service import Runtime

_CHUNK = 5_000
_TIMEOUT_MS = 3_600_000
_NOBODY = UUID(int=0)
_LOOK_SECONDS = 300.0
_SYSTEM = Principal(id=SYSTEM, roles=frozenset(), org="hq")


async def run_value(job: JobRun) -> dict[str, Any]:
    """The job. Started again after a crash it begins anew; until its end nobody sees its figures."""
    run_id = UUID(job.args["run_id"])
    try:
        return await _calculate(job, run_id)
    except CancelledJobError:
        await _abandon(job, run_id, "cancelled")
        raise
    except Exception:
        await _abandon(job, run_id, "failed")
        raise


async def schedule_value_runs(runtime: Runtime) -> None:
    """From the first working day on, calculate the month before for every model that asks for it, once."""
    while True:
        month = due_month(clock.today())
        if month is not None:
            async with runtime.db.transaction() as session:
                await start_due_runs(session, month)
        await asyncio.sleep(_LOOK_SECONDS)


async def start_due_runs(session: AsyncSession, month: date) -> list[UUID]:
    """Queue `month` for scheduled models that have no run of it, not even a failed one."""
    models = await session.scalars(
        select(ValueModel)
        .where(
            ValueModel.schedule,
            ~exists().where(ValueRun.model == ValueModel.code, ValueRun.month == month),
        )
        .with_for_update(skip_locked=True)
    )
    started = []
    for model in models.all():
        version = await session.get_one(ValueModelVersion, (model.code, model.version))
        spec = ValueModelWrite.model_validate(version.spec)
        run = await queue_run(session, _SYSTEM, model, spec, month, "schedule")
        started.append(run.id)
    return started


async def _calculate(job: JobRun, run_id: UUID) -> dict[str, Any]:
    begun = await _begin(job, run_id)
    if begun is None:
        return {"run_id": str(run_id)}
    model, parameters, customers = begun
    after, done = _NOBODY, 0
    while True:
        async with _transaction(job) as session:
            chunk = await fetch(session, sql.NEXT_CHUNK, {"after": after, "size": _CHUNK})
            if chunk:
                await fetch(session, sql.CALCULATE, {**parameters, "after": after, "upto": chunk[0][0]})
        if not chunk:
            break
        after, done = chunk[0][0], done + chunk[0][1]
        await job.progress(0.9 * done / max(customers, done), f"customer {done}", {"customers": done})
    return await _finish(job, run_id, model, parameters, done)


def _transaction(job: JobRun) -> AbstractAsyncContextManager[AsyncSession]:
    return job.runtime.db.transaction(actor=job.principal, statement_timeout_ms=_TIMEOUT_MS)


async def _begin(job: JobRun, run_id: UUID) -> tuple[ValueModelWrite, dict[str, Any], int] | None:
    """The model, the parameters of the calculation and how many customers; null when it was done before."""
    async with _transaction(job) as session:
        run = await session.get_one(ValueRun, run_id, with_for_update=True)
        if run.state not in {"queued", "running"}:
            return None
        await _forget(session, run_id)
        version = await session.get_one(ValueModelVersion, (run.model, run.model_version))
        model = ValueModelWrite.model_validate(version.spec)
        seq, measured_at, customers = (await fetch(session, sql.WATERMARK))[0]
        run.state = "running"
        run.watermark = {"event": seq, "measured_at": measured_at.isoformat() if measured_at else None}
        parameters = {**_period(run), **await _terms(session, model), **_money(model, run.month)}
        parameters["seq"] = seq or 0
        held = await fetch(session, sql.HELD_CURRENCIES, parameters)
        moved = await fetch(session, sql.MOVED_CURRENCIES, {**parameters, "types": parameters["tariff_type"]})
        refuse_missing_rates(model, run.month, (row[0] for row in (*held, *moved)))
    return model, parameters, customers


def _period(run: ValueRun) -> dict[str, Any]:
    """Dates for balances, instants of the bank's zone for events."""
    end = date.fromordinal(run.through.toordinal() + 1)
    return {
        "run": run.id,
        "start": run.month,
        "end": end,
        "days": run.days,
        "begins": datetime.combine(run.month, time(), clock.ZONE),
        "ends": datetime.combine(end, time(), clock.ZONE),
    }


def _money(model: ValueModelWrite, month: date) -> dict[str, Any]:
    rates = {rate.currency: rate.rate for rate in model.rates if rate.month == f"{month:%Y-%m}"}
    rates[model.currency] = Decimal(1)
    return {
        "own": model.currency,
        "currency": list(rates),
        "fx": list(rates.values()),
        "year": model.day_count,
        "ratio": model.capital_ratio,
        "hurdle": model.hurdle,
    }


async def _terms(session: AsyncSession, model: ValueModelWrite) -> dict[str, Any]:
    """One array per column: of the terms of every product by risk level, and of the tariffs."""
    catalogue = (
        await session.execute(select(Product.code, Product.category, Product.margin).order_by(Product.code))
    ).all()
    terms = [(row.code, terms_of(model, row.code, row.category, row.margin)) for row in catalogue]
    rows = [(code, one, band) for code, one in terms for band in BANDS]
    return {
        "product": [code for code, _, _ in rows],
        "band": [band for _, _, band in rows],
        "side": [one.side for _, one, _ in rows],
        "margin": [one.margin for _, one, _ in rows],
        "day_count": [one.day_count for _, one, _ in rows],
        "weight": [one.risk_weight for _, one, _ in rows],
        "account_cost": [one.account_cost for _, one, _ in rows],
        "loss": [one.loss[band] for _, one, band in rows],
        **_tariffs([(False, each) for each in model.fees] + [(True, each) for each in model.event_costs]),
    }


def _tariffs(rates: list[tuple[bool, EventRate]]) -> dict[str, Any]:
    return {
        "tariff_cost": [is_cost for is_cost, _ in rates],
        "tariff_type": [rate.event_type for _, rate in rates],
        "tariff_product": [rate.product for _, rate in rates],
        "tariff_field": [rate.field for _, rate in rates],
        "tariff_rate": [rate.rate for _, rate in rates],
        "tariff_fixed": [rate.fixed for _, rate in rates],
        "tariff_book": [rate.book_to for _, rate in rates],
    }


async def _finish(
    job: JobRun, run_id: UUID, model: ValueModelWrite, parameters: dict[str, Any], customers: int
) -> dict[str, Any]:
    """Totals, benchmarks and the change of figures in one transaction: readers see the old or the new."""
    await job.progress(0.9, "totals")
    products = zip(parameters["product"], parameters["side"], strict=True)
    debts = sorted({product for product, side in products if side == "asset"})
    peers = {**peer_parameters(model.peers, debts), "minimum": model.peers.minimum, "run": run_id}
    async with _transaction(job) as session:
        await fetch(session, sql.STATISTICS)
    async with _transaction(job) as session:
        await fetch(session, sql.WHOLE_TABLES)
        run = await session.get_one(ValueRun, run_id)
        # One after the other: of two calculations of a month the one that ends last is current.
        await session.get_one(ValueModel, run.model, with_for_update=True)
        await fetch(session, sql.TOTALS, {"run": run_id})
        # The planner takes what a CTE yields for few rows and compares each with each: 200 times slower.
        await fetch(session, "SET LOCAL enable_nestloop = off")
        await fetch(session, sql.BENCHMARKS, peers)
        await fetch(session, sql.POTENTIALS, peers)
        older = await _current(session, run)
        run.edition = (older.edition or 0) + 1 if older else 1
        await session.flush()
        await publish_values(session, run, older)
        await fetch(session, "SET LOCAL enable_nestloop = on")
        rows = (await fetch(session, sql.COUNT, {"run": run_id}))[0][0]
        if older is not None:
            await _supersede(session, run, older)
        run.state, run.finished_at = "current", clock.now()
        run.counts = {"customers": customers, "rows": rows}
        await session.flush()
        detail = {"model": run.model, "month": f"{run.month:%Y-%m}", "replaces": str(run.replaces or "")}
        principal = Principal(id=job.principal, roles=frozenset(), org="hq")
        audit(session, principal, "calculate", f"value_run/{run_id}", detail)
    return {"run_id": str(run_id), "customers": customers, "rows": rows}


async def _current(session: AsyncSession, run: ValueRun) -> ValueRun | None:
    """The calculation of the same month that `run` is about to replace."""
    older: ValueRun | None = await session.scalar(
        select(ValueRun).where(
            ValueRun.model == run.model, ValueRun.month == run.month, ValueRun.state == "current"
        )
    )
    return older


async def _supersede(session: AsyncSession, run: ValueRun, older: ValueRun) -> None:
    """The month's current run steps back; what of it the new one changed is kept."""
    await fetch(session, sql.SUPERSEDE, {"old": older.id, "new": run.id})
    await fetch(session, sql.FORGET, {"run": older.id})
    await fetch(session, sql.FORGET_POTENTIALS, {"run": older.id})
    await session.execute(delete(ValueBenchmark).where(ValueBenchmark.run_id == older.id))
    older.state, run.replaces = "superseded", older.id
    await session.flush()


async def _forget(session: AsyncSession, run_id: UUID) -> None:
    """What an attempt that did not end has left."""
    await fetch(session, sql.FORGET, {"run": run_id})
    await fetch(session, sql.FORGET_POTENTIALS, {"run": run_id})
    await session.execute(delete(ValueRunTotal).where(ValueRunTotal.run_id == run_id))
    await session.execute(delete(ValueBenchmark).where(ValueBenchmark.run_id == run_id))


async def _abandon(job: JobRun, run_id: UUID, state: str) -> None:
    async with _transaction(job) as session:
        ended = await session.scalar(
            update(ValueRun)
            .where(ValueRun.id == run_id, ValueRun.state.in_(["queued", "running"]))
            .values(state=state, finished_at=clock.now())
            .returning(ValueRun.id)
        )
        if ended is not None:
            await _forget(session, run_id)
