"""What must be kept, as data."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import RetentionRule
from services.customer.usecases.versions import next_version
from shared.contracts.customer.erasure import RetentionRuleWrite
from shared.errors import FieldError, Unprocessable


async def put_rule(
    session: AsyncSession, code: str, body: RetentionRuleWrite, expected: int | None
) -> RetentionRule:
    """Create or replace; 422 when a rule about events names no type, or another rule names one."""
    if (body.applies_to == "event") != (body.event_type is not None):
        detail = "is needed for events" if body.applies_to == "event" else "is for events only"
        raise Unprocessable("The rule is not valid", errors=[FieldError("/event_type", detail)])
    row = await session.get(RetentionRule, code, with_for_update=True)
    version = next_version(row.version if row else None, expected)
    row = row or RetentionRule(code=code)
    row.name_zh, row.name_en = body.name.zh, body.name.en
    row.applies_to, row.event_type = body.applies_to, body.event_type
    row.keep_days, row.active, row.version = body.keep_days, body.active, version
    session.add(row)
    await session.flush()
    return row
