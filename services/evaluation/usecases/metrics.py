"""Defining a metric."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.catalogue import BUILT_IN
from services.evaluation.domain.definitions import definition_errors
from services.evaluation.domain.worth import victim_error, worth_errors
from services.evaluation.models import MetricRow
from services.evaluation.queries.metrics import as_contract, definitions
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.metrics import Metric, MetricCreate
from shared.errors import Conflict, FieldError, Unprocessable


async def define(session: AsyncSession, principal: Principal, metric: MetricCreate) -> Metric:
    """Add a metric for ever: campaigns that registered it must find it unchanged."""
    await _check(session, metric)
    row = None
    if metric.key not in BUILT_IN:
        row = await session.scalar(
            insert(MetricRow)
            .values(
                key=metric.key,
                definition=metric.model_dump(mode="json"),
                created_at=clock.now(),
                created_by=principal.id,
            )
            .on_conflict_do_nothing()
            .returning(MetricRow)
        )
    if row is None:
        raise Conflict(
            f"There is a metric {metric.key!r} already, and metrics never change: take another key."
        )
    audit(session, principal, "metric.define", metric.key)
    return as_contract(row)


async def _check(session: AsyncSession, metric: MetricCreate) -> None:
    errors = [*definition_errors(metric), *worth_errors(metric)]
    victims = await definitions(session, metric.cannibalises)
    for number, key in enumerate(metric.cannibalises):
        if error := victim_error(victims.get(key)):
            errors.append((f"/cannibalises/{number}", error))
    if errors:
        places = [FieldError(place, detail) for place, detail in errors]
        raise Unprocessable("The parts of this definition do not fit together.", errors=places)
