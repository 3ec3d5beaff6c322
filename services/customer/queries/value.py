"""Value of a customer, a group, a branch, a member of staff: lines of the current runs, added up."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.value import terms_of
from services.customer.models import Customer, Product, ValueModel, ValueModelVersion, ValueRun
from services.customer.queries.value_peers import PEER_GROUP, peer_parameters
from services.customer.queries.value_sums import Line, RunOfMonth, by, months, total, totals
from shared import clock
from shared.contracts.customer.value import (
    CategoryPotential,
    CategoryValue,
    CustomerCrossSell,
    CustomerValueView,
    GroupValueView,
    Potential,
    ProductValue,
    Rank,
    ValueModelWrite,
    ValueOfMember,
)
from shared.db import fetch
from shared.errors import NotFound

# A customer with everything merged into it. The families stand first and apart: from them the way leads
# through the primary key of the figures, whatever the planner knows of the tables.
_LINES: LiteralString = """
WITH family AS MATERIALIZED (
  SELECT id AS home, id FROM customer WHERE id = ANY(%(customers)b::uuid[])
  UNION ALL
  SELECT id, merged_into FROM customer
  WHERE merged_into = ANY(%(customers)b::uuid[]) AND id <> ALL(%(customers)b::uuid[])
)
SELECT v.run_id, v.product, p.category, f.id, sum(v.average_balance), sum(v.ftp_margin), sum(v.fees),
  sum(v.expected_loss), sum(v.operating_cost), sum(v.capital), sum(v.capital_charge), sum(v.contribution)
FROM family f CROSS JOIN LATERAL (
  SELECT * FROM customer_value v WHERE v.customer_id = f.home AND v.run_id = ANY(%(runs)b::uuid[])) v
JOIN product p ON p.code = v.product
GROUP BY 1, 2, 3, 4 ORDER BY 3, 2
"""

_RANK: LiteralString = """
WITH branch AS MATERIALIZED (
  SELECT coalesce(c.merged_into, c.id) AS id, c.id AS home, c.org_path FROM customer c
  WHERE c.org_path = (SELECT org_path FROM customer WHERE id = %(customer)s AND merged_into IS NULL)
), worth AS MATERIALIZED (
  SELECT b.id, sum(v.contribution) AS contribution
  FROM branch b JOIN customer_value v ON v.customer_id = b.home AND v.run_id = %(run)s GROUP BY 1
)
SELECT (SELECT org_path FROM branch LIMIT 1), count(*) FILTER (WHERE w.contribution > m.contribution) + 1,
  count(*)
FROM worth w CROSS JOIN (SELECT contribution FROM worth WHERE id = %(customer)s) m HAVING count(*) > 0
"""

_BENCHMARK: LiteralString = f"""
SELECT g.peer_group, b.peers, b.category, b.income
FROM (SELECT {PEER_GROUP} AS peer_group
      FROM customer c JOIN org_unit o ON o.code = c.org_path CROSS JOIN (SELECT %(aum)s::numeric AS aum) a
      WHERE c.id = %(customer)s AND c.merged_into IS NULL) g
JOIN value_benchmark b ON b.run_id = %(run)s AND b.peer_group = g.peer_group ORDER BY b.category
"""  # noqa: S608 - both parts are our own text

# Companies below, by the relations of today; ends of merged files lead to their survivors. Each once.
_GROUP: LiteralString = """
WITH RECURSIVE member AS (
  SELECT id, 0 AS depth FROM customer WHERE id = %(customer)s
  UNION SELECT coalesce(t.merged_into, t.id), m.depth + 1
  FROM member m JOIN customer f ON f.id = m.id OR f.merged_into = m.id
  JOIN relationship r ON r.from_id = f.id AND r.kind = 'parent'
    AND r.valid_from <= %(today)s AND (r.valid_to IS NULL OR r.valid_to > %(today)s)
  JOIN customer t ON t.id = r.to_id
  WHERE m.depth < 20
)
SELECT id, min(depth) FROM member GROUP BY 1 ORDER BY 2, 1 LIMIT 5000
"""

_CATEGORIES: LiteralString = "SELECT count(DISTINCT category) FROM product WHERE active"


async def value_model(session: AsyncSession, code: str) -> ValueModel:
    model = await session.get(ValueModel, code)
    if model is None:
        raise NotFound("There is no such model of value")
    return model


async def current_runs(session: AsyncSession, model: str, count: int) -> list[RunOfMonth]:
    """The last `count` months that were calculated, newest first."""
    rows = await session.execute(
        select(ValueRun.id, ValueRun.month, ValueRun.days, ValueRun.day_count, ValueRun.model_version)
        .where(ValueRun.model == model, ValueRun.state == "current")
        .order_by(ValueRun.month.desc())
        .limit(count)
    )
    return [RunOfMonth(*row) for row in rows]


async def customer_value(
    session: AsyncSession, customer_id: UUID, code: str, count: int
) -> CustomerValueView:
    """404 when the customer is not visible; without a run everything is zero and the lists are empty."""
    await _require_customer(session, customer_id)
    model = await value_model(session, code)
    runs = await current_runs(session, code, count)
    lines = await _lines(session, [customer_id], runs)
    last = runs[0] if runs else None
    recent = [line for line in lines if line.run is last]
    products = by(lines, lambda line: (line.product, line.category))
    return CustomerValueView(
        customer_id=customer_id,
        model=code,
        currency=model.currency,
        total=totals(lines, last.month if last else None),
        months=months(lines, runs),
        products=[
            ProductValue.model_validate(
                {"product": product, "category": category, **total(held, last.month if last else None)}
            )
            for (product, category), held in products.items()
        ],
        rank=await _rank(session, customer_id, last) if last else None,
        potential=await _potential(session, customer_id, code, last, recent) if last else None,
        cross_sell=await _cross_sell(session, recent) if last else None,
    )


async def group_value(session: AsyncSession, customer_id: UUID, code: str, count: int) -> GroupValueView:
    """The customer and all companies below it, by their relations today."""
    await _require_customer(session, customer_id)
    model = await value_model(session, code)
    runs = await current_runs(session, code, count)
    last = runs[0].month if runs else None
    members = await fetch(session, _GROUP, {"customer": customer_id, "today": clock.today()})
    lines = await _lines(session, [row[0] for row in members], runs)
    found = by(lines, lambda line: line.customer_id)
    return GroupValueView(
        customer_id=customer_id,
        model=code,
        currency=model.currency,
        total=totals(lines, last),
        members=[
            ValueOfMember.model_validate({"customer_id": i, "depth": depth, **total(found.get(i, []), last)})
            for i, depth in members
        ],
    )


def categories(lines: Sequence[Line], last: date | None) -> list[CategoryValue]:
    return [
        CategoryValue.model_validate({"category": category, **total(held, last)})
        for category, held in sorted(by(lines, lambda line: line.category).items())
    ]


async def _require_customer(session: AsyncSession, customer_id: UUID) -> None:
    if await session.scalar(select(Customer.id).where(Customer.id == customer_id)) is None:
        raise NotFound("There is no such customer in your organisation")


async def _lines(session: AsyncSession, customers: list[UUID], runs: Sequence[RunOfMonth]) -> list[Line]:
    known = {run.id: run for run in runs}
    rows = await fetch(session, _LINES, {"customers": customers, "runs": list(known)})
    return [
        Line(known[run], row, product=product, category=category, customer_id=customer)
        for run, product, category, customer, *row in rows
    ]


async def _rank(session: AsyncSession, customer_id: UUID, run: RunOfMonth) -> Rank | None:
    rows = await fetch(session, _RANK, {"customer": customer_id, "run": run.id})
    return Rank(org=rows[0][0], place=rows[0][1], of=rows[0][2]) if rows else None


async def _potential(
    session: AsyncSession, customer_id: UUID, code: str, run: RunOfMonth, recent: Sequence[Line]
) -> Potential | None:
    """Null where the peers are too few to compare with."""
    version = await session.get_one(ValueModelVersion, (code, run.model_version))
    spec = ValueModelWrite.model_validate(version.spec)
    catalogue = (await session.execute(select(Product.code, Product.category, Product.margin))).all()
    debts = [row.code for row in catalogue if terms_of(spec, *row).side == "asset"]
    aum = sum((line.figures[0] for line in recent if line.product not in debts), Decimal(0))
    parameters: dict[str, Any] = peer_parameters(spec.peers, debts)
    parameters |= {"customer": customer_id, "run": run.id, "aum": aum}
    rows = await fetch(session, _BENCHMARK, parameters)
    if not rows:
        return None
    own = {
        category: sum((line.figures[1] + line.figures[2] for line in lines), Decimal("0.00"))
        for category, lines in by(recent, lambda line: line.category).items()
    }
    found = [
        CategoryPotential(
            category=category,
            own=own.get(category, Decimal("0.00")),
            benchmark=income,
            potential=max(income - own.get(category, Decimal(0)), Decimal("0.00")),
        )
        for _, _, category, income in rows
    ]
    return Potential(
        peer_group=rows[0][0],
        peers=rows[0][1],
        categories=found,
        total=sum((each.potential for each in found), Decimal("0.00")),
    )


async def _cross_sell(session: AsyncSession, recent: Sequence[Line]) -> CustomerCrossSell:
    return CustomerCrossSell(
        products=len({line.product for line in recent}),
        categories=len({line.category for line in recent}),
        of_categories=(await fetch(session, _CATEGORIES))[0][0],
    )
