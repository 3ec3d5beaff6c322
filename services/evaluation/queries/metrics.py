"""Metric definitions: those of the code and those made by API, as one catalogue."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.catalogue import BUILT_IN
from services.evaluation.models import MetricRow, Registration
from shared.contracts.base import Page
from shared.contracts.metrics import Metric, MetricCreate
from shared.errors import BadRequest
from shared.pagination import PageRequest, encode_cursor


async def definitions(session: AsyncSession, keys: Sequence[str]) -> dict[str, MetricCreate]:
    """Definitions of those of `keys` that exist."""
    rows = await session.scalars(select(MetricRow).where(MetricRow.key.in_(keys)))
    made = {row.key: MetricCreate.model_validate(row.definition) for row in rows}
    return {key: metric for key, metric in (BUILT_IN | made).items() if key in keys}


def frozen(registration: Registration) -> dict[str, MetricCreate]:
    """The definitions a campaign was registered with."""
    return {key: MetricCreate.model_validate(value) for key, value in registration.definitions.items()}


async def metric_page(session: AsyncSession, page: PageRequest) -> Page[Metric]:
    """By key. There are dozens of metrics, not thousands: the catalogue is merged before it is cut."""
    after = page.after()
    if after is not None and (len(after) != 1 or not isinstance(after[0], str)):
        raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")
    made = [as_contract(row) for row in await session.scalars(select(MetricRow))]
    built_in = [Metric(**metric.model_dump(), built_in=True) for metric in BUILT_IN.values()]
    every = sorted([*built_in, *made], key=lambda metric: metric.key)
    rest = [metric for metric in every if after is None or metric.key > after[0]]
    items = rest[: page.limit]
    more = len(rest) > page.limit
    return Page[Metric](items=items, next_cursor=encode_cursor([items[-1].key]) if more else None)


def as_contract(row: MetricRow) -> Metric:
    return Metric(
        **MetricCreate.model_validate(row.definition).model_dump(), built_in=False, created_at=row.created_at
    )
