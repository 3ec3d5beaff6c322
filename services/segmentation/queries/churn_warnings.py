"""Churn warnings as rows: the list people work through."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.segmentation.models import ChurnWarning, Model
from shared.contracts.segmentation.churn_warnings import (
    ChurnWarningView,
    Reason,
    StateCount,
    WarningOutcome,
    WarningState,
)
from shared.errors import NotFound

ACTIVE = (WarningState.open, WarningState.acknowledged)


@dataclass(frozen=True)
class Wanted:
    """Filters of the list; `None` takes all."""

    states: Sequence[WarningState] = ()
    org: str | None = None
    manager: str | None = None
    model: str | None = None
    run_id: UUID | None = None
    customer_id: UUID | None = None


def warnings_of(wanted: Wanted) -> Select[Any]:
    """Each warning with the key of its model. That of a merged customer is shown for the survivor, unless the
    model warns of the survivor as well.
    """
    statement = select(ChurnWarning, Model.key).join(Model, Model.id == ChurnWarning.model_id)
    return cast("Select[Any]", statement.where(*_conditions(wanted)))


def _conditions(wanted: Wanted) -> list[Any]:
    own = aliased(ChurnWarning)
    doubled = exists().where(
        own.customer_id == ChurnWarning.survivor_id,
        own.model_id == ChurnWarning.model_id,
        own.state.in_(ACTIVE),
    )
    found: list[Any] = [or_(ChurnWarning.survivor_id.is_(None), ~doubled)]
    if wanted.states:
        found.append(ChurnWarning.state.in_(wanted.states))
    if wanted.org is not None:
        below = func.starts_with(ChurnWarning.org_path, wanted.org + ".")
        found.append(or_(ChurnWarning.org_path == wanted.org, below))
    if wanted.manager is not None:
        found.append(ChurnWarning.primary_manager == wanted.manager)
    if wanted.model is not None:
        found.append(Model.key == wanted.model)
    if wanted.run_id is not None:
        found.append(ChurnWarning.run_id == wanted.run_id)
    if wanted.customer_id is not None:
        found.append(func.coalesce(ChurnWarning.survivor_id, ChurnWarning.customer_id) == wanted.customer_id)
    return found


async def counts_of(session: AsyncSession, wanted: Wanted) -> list[StateCount]:
    """Warnings and money at stake by state, in the order of the states."""
    rows = await session.execute(
        select(ChurnWarning.state, func.count(), func.sum(ChurnWarning.at_stake))
        .join(Model, Model.id == ChurnWarning.model_id)
        .where(*_conditions(wanted))
        .group_by(ChurnWarning.state)
    )
    found = {state: (count, at_stake) for state, count, at_stake in rows}
    return [
        StateCount(state=state, warnings=found[state][0], at_stake=found[state][1])
        for state in WarningState
        if state in found
    ]


async def find_warning(session: AsyncSession, warning_id: UUID, *, for_update: bool = False) -> ChurnWarning:
    warning = await session.get(ChurnWarning, warning_id, with_for_update=for_update or None)
    if warning is None:
        raise NotFound(f"There is no churn warning {warning_id} in your organisation.")
    return warning


async def show_warning(session: AsyncSession, warning: ChurnWarning) -> ChurnWarningView:
    model = await session.get_one(Model, warning.model_id)
    return _view(warning, model.key)


def warning_row(row: Any) -> ChurnWarningView:
    return _view(row[0], row[1])


def _view(warning: ChurnWarning, model: str) -> ChurnWarningView:
    return ChurnWarningView(
        id=warning.id,
        customer_id=warning.survivor_id or warning.customer_id,
        org=warning.org_path,
        primary_manager=warning.primary_manager,
        model=model,
        run_id=warning.run_id,
        probability=warning.probability,
        assets=warning.assets,
        at_stake=warning.at_stake,
        reasons=[Reason.model_validate(each) for each in warning.reasons],
        state=WarningState(warning.state),
        outcome=WarningOutcome(warning.outcome) if warning.outcome else None,
        runs=warning.runs,
        first_raised_at=warning.first_raised_at,
        raised_at=warning.raised_at,
        acknowledged_by=warning.acknowledged_by,
        acknowledged_at=warning.acknowledged_at,
        closed_by=warning.closed_by,
        closed_at=warning.closed_at,
    )
