"""Value of branches and members of staff, and customers in the order of their contribution."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal, LiteralString
from uuid import UUID

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Customer, CustomerValue, OrgUnit, Staff
from services.customer.models.value import FIGURES
from services.customer.queries.value import categories, current_runs, value_model
from services.customer.queries.value_sums import Line, RunOfMonth, by, months, total, totals
from shared import clock
from shared.contracts.base import Page
from shared.contracts.customer.value import (
    CrossSell,
    OrgValue,
    OrgValueView,
    RankedCustomer,
    StaffValueView,
)
from shared.db import fetch
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

# Every branch's share of its customers, also of those led elsewhere.
_BRANCHES: LiteralString = """
SELECT b.run_id, b.org_path, b.product, p.category, b.customers, b.average_balance, b.ftp_margin, b.fees,
  b.expected_loss, b.operating_cost, b.capital, b.capital_charge, b.contribution
FROM branch_value(%(org)s, %(runs)b::uuid[]) b JOIN product p ON p.code = b.product
ORDER BY 2, 3
"""

# What the runs themselves found for each branch: the same, as long as nobody has moved since.
_STORED: LiteralString = """
SELECT t.run_id, t.org_path, t.product, p.category, t.customers, t.average_balance, t.ftp_margin, t.fees,
  t.expected_loss, t.operating_cost, t.capital, t.capital_charge, t.contribution
FROM value_run_total t JOIN product p ON p.code = t.product
WHERE t.run_id = ANY(%(runs)b::uuid[])
  AND (%(org)s = 'hq' OR t.org_path = %(org)s OR starts_with(t.org_path, %(org)s || '.'))
ORDER BY 2, 3
"""

# Head office alone sees every move. Shares are dated by day: one of the run's day counts as a move.
_UNMOVED: LiteralString = """
SELECT r.id FROM value_run r
WHERE r.id = ANY(%(runs)b::uuid[]) AND current_setting('huanying.org_scope', true) = '*'
  AND coalesce((SELECT changed_at FROM ownership_change ORDER BY seq DESC LIMIT 1) < r.created_at, true)
  AND coalesce((SELECT max(greatest(valid_from, valid_to)) FROM customer_branch)
               < (r.created_at AT TIME ZONE %(zone)s)::date, true)
  AND coalesce((SELECT max(greatest(merged_at, undone_at)) FROM merge) < r.created_at, true)
"""

_STAFF: LiteralString = """
SELECT v.run_id, v.product, p.category, sum(v.average_balance), sum(v.ftp_margin), sum(v.fees),
  sum(v.expected_loss), sum(v.operating_cost), sum(v.capital), sum(v.capital_charge), sum(v.contribution)
FROM customer s JOIN customer c ON c.id = s.id OR c.merged_into = s.id
JOIN customer_value v ON v.customer_id = c.id JOIN product p ON p.code = v.product
WHERE s.primary_manager = %(staff)s AND s.merged_into IS NULL AND v.run_id = ANY(%(runs)b::uuid[])
GROUP BY 1, 2, 3
"""

# A merged file has the branch and the managers of its survivor.
_CROSS_SELL: LiteralString = """
SELECT count(*), avg(categories)::numeric(9, 4), (avg((categories >= 2)::int))::numeric(9, 4) FROM (
  SELECT count(DISTINCT p.category) AS categories
  FROM customer c JOIN customer_value v ON v.customer_id = c.id AND v.run_id = %(run)s
  JOIN product p ON p.code = v.product
  WHERE (%(org)s::text IS NULL OR c.org_path = %(org)s OR starts_with(c.org_path, %(org)s || '.'))
    AND (%(staff)s::text IS NULL OR c.primary_manager = %(staff)s)
  GROUP BY coalesce(c.merged_into, c.id)) held
"""


async def org_value(session: AsyncSession, org: str, code: str, count: int) -> OrgValueView:
    """404 when the unit is not visible. Sums are by the ownership of today."""
    if await session.get(OrgUnit, org) is None:
        raise NotFound("There is no such unit in your organisation")
    model = await value_model(session, code)
    runs = await current_runs(session, code, count)
    known = {run.id: run for run in runs}
    rows = await _branch_rows(session, org, list(known))
    lines = [
        Line(known[run], figures, product=product, category=category, org=unit, customers=customers)
        for run, unit, product, category, customers, *figures in rows
    ]
    last = runs[0].month if runs else None
    return OrgValueView(
        org=org,
        model=code,
        currency=model.currency,
        total=totals(lines, last),
        months=months(lines, runs),
        categories=categories(lines, last),
        units=_units(org, lines, last),
        cross_sell=await _cross_sell(session, runs, org=org),
    )


async def _branch_rows(session: AsyncSession, org: str, runs: list[UUID]) -> list[tuple[Any, ...]]:
    """Sums by branch and product; added up again only for runs since when somebody has moved."""
    unmoved = [row[0] for row in await fetch(session, _UNMOVED, {"runs": runs, "zone": clock.ZONE.key})]
    moved = [run for run in runs if run not in unmoved]
    stored = await fetch(session, _STORED, {"org": org, "runs": unmoved}) if unmoved else []
    return stored + (await fetch(session, _BRANCHES, {"org": org, "runs": moved}) if moved else [])


async def staff_value(session: AsyncSession, staff: str, code: str, count: int) -> StaffValueView:
    """404 when the member of staff is not visible."""
    if await session.get(Staff, staff) is None:
        raise NotFound("There is no such staff in your organisation")
    model = await value_model(session, code)
    runs = await current_runs(session, code, count)
    known = {run.id: run for run in runs}
    rows = await fetch(session, _STAFF, {"staff": staff, "runs": list(known)})
    lines = [
        Line(known[run], figures, product=product, category=category)
        for run, product, category, *figures in rows
    ]
    last = runs[0].month if runs else None
    return StaffValueView(
        staff=staff,
        model=code,
        currency=model.currency,
        total=totals(lines, last),
        months=months(lines, runs),
        categories=categories(lines, last),
        cross_sell=await _cross_sell(session, runs, staff=staff),
    )


async def ranking(
    session: AsyncSession,
    run: RunOfMonth | None,
    page: PageRequest,
    *,
    order: Literal["top", "bottom"],
    org: str | None,
    manager: str | None,
) -> Page[RankedCustomer]:
    """Customers by contribution in one run, merged files summed; none without a run."""
    if run is None:
        return Page[RankedCustomer](items=[], next_cursor=None)
    sums = _contributions(run.id, org, manager).subquery()
    statement: Select[tuple[object, ...]] = select(sums, Customer.org_path, Customer.primary_manager).join(
        Customer, Customer.id == sums.c.customer_id
    )

    def convert(row: Row[tuple[object, ...]]) -> RankedCustomer:
        values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
        line = Line(run, [Decimal(str(values[name])) for name in FIGURES])
        return RankedCustomer.model_validate(
            {
                "customer_id": values["customer_id"],
                "org": values["org_path"],
                "primary_manager": values["primary_manager"],
                **total([line], run.month),
            }
        )

    keys = [sums.c.contribution, sums.c.customer_id]
    return await paginate(session, statement, keys, page, convert, descending=order == "top")


def _contributions(run_id: UUID, org: str | None, manager: str | None) -> Select[tuple[object, ...]]:
    survivor = func.coalesce(Customer.merged_into, Customer.id)
    columns = [func.sum(getattr(CustomerValue, name)).label(name) for name in FIGURES]
    statement = (
        select(survivor.label("customer_id"), *columns)
        .join(CustomerValue, CustomerValue.customer_id == Customer.id)
        .where(CustomerValue.run_id == run_id)
        .group_by(survivor)
    )
    if org is not None:
        below = Customer.org_path.startswith(org + ".", autoescape=True)
        statement = statement.where(or_(Customer.org_path == org, below))
    if manager is not None:
        statement = statement.where(Customer.primary_manager == manager)
    return statement


def _units(org: str, lines: Sequence[Line], last: date | None) -> list[OrgValue]:
    """The unit itself for what is booked on it, and each unit right below with all of its own."""
    depth = org.count(".") + 2
    found = by(lines, lambda line: ".".join(line.org.split(".")[:depth]))
    return [
        OrgValue.model_validate({"org": unit, **total(held, last)}) for unit, held in sorted(found.items())
    ]


async def _cross_sell(
    session: AsyncSession, runs: Sequence[RunOfMonth], *, org: str | None = None, staff: str | None = None
) -> CrossSell | None:
    if not runs:
        return None
    rows = await fetch(session, _CROSS_SELL, {"run": runs[0].id, "org": org, "staff": staff})
    count, average, ratio = rows[0]
    return CrossSell(customers=count, categories_per_customer=average, ratio=ratio)
