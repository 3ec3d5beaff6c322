"""Models of value: a new version by PUT, and the order to calculate a month."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.value import period_of
from services.customer.models import Product, ValueModel, ValueModelVersion, ValueRun
from services.customer.usecases.value_statements import HELD_CURRENCIES
from services.customer.usecases.versions import next_version
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer.value import ValueModelWrite, ValueRunWrite
from shared.db import Job, fetch
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.ids import new_id
from shared.jobs import defer

TASK = "value"


async def put_value_model(
    session: AsyncSession, principal: Principal, code: str, body: ValueModelWrite, expected: int | None
) -> ValueModelVersion:
    """Create or replace; the same content again changes nothing. Older versions stay readable."""
    model = await session.get(ValueModel, code, with_for_update=True)
    spec = body.model_dump(mode="json")
    if model is not None:
        present = await session.get_one(ValueModelVersion, (code, model.version))
        if present.spec == spec:
            return present
    version = next_version(model.version if model else None, expected)
    await _check_products(session, body)
    model = model or ValueModel(code=code)
    model.version, model.schedule, model.currency = version, body.schedule, body.currency
    session.add(model)
    await session.flush()
    row = ValueModelVersion(
        code=code, version=version, spec=spec, changed_at=clock.now(), changed_by=principal.id
    )
    session.add(row)
    await session.flush()
    audit(session, principal, "put", f"value_model/{code}", {"version": version})
    return row


async def start_value_run(
    session: AsyncSession, principal: Principal, code: str, body: ValueRunWrite
) -> ValueRun:
    """Queue the calculation of a month; 422 naming each conversion rate it would lack."""
    model = await _locked(session, code)
    month = date.fromisoformat(f"{body.month}-01")
    if month > clock.today():
        raise Unprocessable("The month has not begun", errors=[FieldError("/month", "is in the future")])
    await _refuse_running(session, code, month)
    known = await session.scalar(
        select(ValueRun.id).where(
            ValueRun.model == code, ValueRun.month == month, ValueRun.state == "current"
        )
    )
    if known is not None and not body.reason:
        raise Unprocessable(
            "The month was calculated before: say why it is calculated again",
            errors=[FieldError("/reason", "is required")],
        )
    version = await session.get_one(ValueModelVersion, (code, model.version))
    spec = ValueModelWrite.model_validate(version.spec)
    rows = await fetch(session, HELD_CURRENCIES, {"start": month})
    refuse_missing_rates(spec, month, (row[0] for row in rows))
    return await queue_run(session, principal, model, spec, month, body.reason)


async def queue_run(
    session: AsyncSession,
    principal: Principal,
    model: ValueModel,
    spec: ValueModelWrite,
    month: date,
    reason: str | None,
) -> ValueRun:
    """The run and its job, whatever the rates; the job looks at them itself."""
    run_id, period = new_id(), period_of(month, clock.today())
    job = await defer(session, principal, TASK, {"run_id": str(run_id)})
    run = ValueRun(
        id=run_id,
        model=model.code,
        model_version=model.version,
        month=month,
        through=date.fromordinal(period.end.toordinal() - 1),
        days=period.days,
        day_count=spec.day_count,
        currency=spec.currency,
        state="queued",
        reason=reason,
        requested_by=principal.id,
        job_id=job.id,
        watermark={},
        counts={},
        replaces=None,
        created_at=clock.now(),
        finished_at=None,
    )
    session.add(run)
    await session.flush()
    detail: dict[str, Any] = {"run": str(run_id), "month": f"{month:%Y-%m}", "version": model.version}
    audit(session, principal, "run", f"value_model/{model.code}", detail)
    return run


def refuse_missing_rates(spec: ValueModelWrite, month: date, currencies: Iterable[str]) -> None:
    """422 with every currency the month needs and the model has no rate for."""
    known = {spec.currency} | {rate.currency for rate in spec.rates if rate.month == f"{month:%Y-%m}"}
    missing = sorted(set(currencies) - known)
    if missing:
        raise Unprocessable(
            "The model lacks conversion rates",
            errors=[FieldError("/rates", f"has none for {each} in {month:%Y-%m}") for each in missing],
            slug="rate-missing",
        )


async def _locked(session: AsyncSession, code: str) -> ValueModel:
    model = await session.get(ValueModel, code, with_for_update=True)
    if model is None:
        raise NotFound("There is no such model of value")
    return model


async def _refuse_running(session: AsyncSession, code: str, month: date) -> None:
    """One calculation of a month at a time. A run whose job has ended is none, whatever became of it."""
    running = await session.scalar(
        select(ValueRun.id)
        .join(Job, Job.id == ValueRun.job_id)
        .where(
            ValueRun.model == code,
            ValueRun.month == month,
            ValueRun.state.in_(["queued", "running"]),
            Job.state.in_(["queued", "running"]),
        )
        .limit(1)
    )
    if running is not None:
        raise Conflict(f"The month is being calculated: run {running}")


async def _check_products(session: AsyncSession, body: ValueModelWrite) -> None:
    """Every product the model names must be in the catalogue."""
    named: list[tuple[str, str]] = []
    for part in ("funding", "losses", "account_costs", "capital", "fees", "event_costs"):
        for index, term in enumerate(getattr(body, part)):
            named += [
                (f"/{part}/{index}/{field}", code)
                for field in ("product", "book_to")
                if (code := getattr(term, field, None)) is not None
            ]
    codes = {code for _, code in named}
    known = set(await session.scalars(select(Product.code).where(Product.code.in_(codes))))
    errors = [
        FieldError(pointer, "is not in the product catalogue") for pointer, code in named if code not in known
    ]
    if errors:
        raise Unprocessable("The model names unknown products", errors=errors[:50])
