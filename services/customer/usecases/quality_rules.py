"""The rules of data quality: the ones a bank begins with, its own, and the order to judge all files."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.quality import compile_rule
from services.customer.domain.quality_defaults import DEFAULT_RULES
from services.customer.models import QualityRule
from services.customer.usecases.versions import next_version
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.contracts.customer.quality import QualityRuleWrite
from shared.db import Database
from shared.errors import FieldError, Unprocessable
from shared.jobs import defer

TASK = "quality"


async def register_default_rules(database: Database) -> None:
    """Add the default rules a bank does not have; what it changed or switched off stays as it is."""
    rows = [
        {"code": code, "version": 1, "spec": spec.model_dump(mode="json")}
        for code, spec in sorted(DEFAULT_RULES.items())
    ]
    async with database.transaction() as session:
        await session.execute(insert(QualityRule).values(rows).on_conflict_do_nothing())


async def put_rule(
    session: AsyncSession, principal: Principal, code: str, body: QualityRuleWrite, expected: int | None
) -> QualityRule:
    """Create or replace; the same content again changes nothing. All files are judged anew soon after."""
    try:
        compile_rule(code, body)
    except ValueError as error:
        raise Unprocessable(
            "The rule cannot be used", errors=[FieldError("/check/pattern", str(error))]
        ) from error
    row = await session.get(QualityRule, code, with_for_update=True)
    spec = body.model_dump(mode="json")
    if row is not None and row.spec == spec:
        return row
    version = next_version(row.version if row else None, expected)
    row = row or QualityRule(code=code)
    row.version, row.spec = version, spec
    session.add(row)
    await session.flush()
    audit(session, principal, "put", f"quality_rule/{code}", {"version": version})
    return row


async def start_quality_run(session: AsyncSession, principal: Principal) -> JobView:
    """Judge all files of the caller's organisation now."""
    job = await defer(session, principal, TASK, {"org": principal.org})
    audit(session, principal, "run", "quality", {"job": str(job.id)})
    return job
