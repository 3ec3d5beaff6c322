"""Looks that were taken, where a campaign stands, and how the ruling on it is told."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.effect import Effect
from services.evaluation.domain.exposure import Exposures
from services.evaluation.domain.stopping import Look, Moment, Ruling
from services.evaluation.models import Result
from services.evaluation.queries.documents import ends
from shared.contracts.evaluation.results import Stopping
from shared.contracts.events import Registration as Plan
from shared.contracts.metrics import MetricCreate
from shared.contracts.stopping import AlwaysValidStop, GroupSequentialStop


async def looks(session: AsyncSession, campaign_id: UUID) -> list[Look]:
    """In the order in which they were taken. Where the verdict was withheld nobody saw anything: no look."""
    statement = (
        select(Result.document["stopping"])
        .where(Result.campaign_id == campaign_id, Result.document["stopping"]["look"].astext.is_not(None))
        .order_by(Result.evaluated_at, Result.id)
    )
    found = [Stopping.model_validate(each) for each in await session.scalars(statement)]
    return [Look(each.look, each.information, each.crossed) for each in found if each.look is not None]


def moment(plan: Plan, exposed: Exposures, earlier: Sequence[Look], *, over: bool, closed: bool) -> Moment:
    """Where customers were planned for, the share is of them: what is still to be assigned counts too."""
    planned = plan.stop.customers if isinstance(plan.stop, GroupSequentialStop) else None
    total = max(exposed.total, planned or 0)
    share = exposed.matured / total if total else 0.0
    return Moment(share, closed, over or planned is not None, earlier)


def tuned_for(plan: Plan, assigned: int) -> int | None:
    """Customers at which always-valid intervals are narrowest: as registered, or all that were assigned; None
    before anybody was.
    """
    if isinstance(plan.stop, AlwaysValidStop):
        return plan.stop.tuned_for
    return assigned or None


def as_contract(ruling: Ruling, metric: MetricCreate) -> Stopping:
    effect = ruling.effect
    judged = isinstance(effect, Effect) and effect.standard_error > 0
    return Stopping(
        rule=ruling.rule,
        final=ruling.final,
        information=ruling.share,
        look=ruling.look,
        bound=ruling.bound,
        z=effect.difference / effect.standard_error if isinstance(effect, Effect) and judged else None,
        ci=ends(effect.interval, metric)
        if isinstance(effect, Effect) and (ruling.bound is not None or ruling.rule == "fixed")
        else None,
        crossed=ruling.crossed,
        readable=ruling.readable,
    )
