"""Data quality as it is read: one customer, sums by unit or manager with their trend, what to mend first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal, LiteralString
from uuid import UUID

from sqlalchemy import ColumnElement, Numeric, Select, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.customer.domain.quality import DIMENSIONS
from services.customer.domain.vault import Vault
from services.customer.models import Customer, CustomerValue, QualityResult
from services.customer.queries.quality_rules import RuleSet, judge, rule_set
from shared import clock
from shared.contracts.base import Page
from shared.contracts.customer.quality import (
    CustomerQuality,
    QualityGroup,
    QualityPoint,
    QualitySummary,
    RuleCount,
    WorklistItem,
)
from shared.db import fetch
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_SCORES = ("score", *DIMENSIONS)
_TREND_DAYS = 90
_MOST_GROUPS = 1_000

_WHERE: LiteralString = """c.status = 'active' AND c.merged_into IS NULL
  AND (%(org)s::text IS NULL OR c.org_path = %(org)s OR starts_with(c.org_path, %(org)s || '.'))
  AND (%(manager)s::text IS NULL OR c.primary_manager = %(manager)s)"""

_GROUPS: LiteralString = f"""
SELECT c.org_path, coalesce(c.primary_manager, ''), count(*),
  sum(q.score), count(q.score), sum(q.completeness), count(q.completeness),
  sum(q.validity), count(q.validity), sum(q.freshness), count(q.freshness),
  sum(q.uniqueness), count(q.uniqueness), min(q.evaluated_at)
FROM quality_result q JOIN customer c ON c.id = q.customer_id WHERE {_WHERE} GROUP BY 1, 2
"""  # noqa: S608 - both parts are our own text

_FAILING: LiteralString = f"""
SELECT code, count(*) FROM quality_result q JOIN customer c ON c.id = q.customer_id
CROSS JOIN jsonb_array_elements_text(q.failing) AS f(code) WHERE {_WHERE} GROUP BY 1 ORDER BY 2 DESC, 1
"""  # noqa: S608 - as above

_TREND: LiteralString = """
SELECT day, customers, sums FROM quality_day
WHERE day > %(after)s
  AND (%(org)s::text IS NULL OR org_path = %(org)s OR starts_with(org_path, %(org)s || '.'))
  AND (%(manager)s::text IS NULL OR manager = %(manager)s) ORDER BY day
"""


@dataclass
class _Sum:
    """Averages in the making: [sum, how many] by score."""

    customers: int = 0
    parts: dict[str, list[Decimal]] = field(
        default_factory=lambda: {n: [Decimal(0), Decimal(0)] for n in _SCORES}
    )

    def add(self, customers: int, parts: Mapping[str, Sequence[Any]]) -> None:
        self.customers += customers
        for name, (amount, count) in parts.items():
            self.parts[name][0] += Decimal(str(amount or 0))
            self.parts[name][1] += count

    def scores(self) -> dict[str, Any]:
        averages = {
            name: (amount / count).quantize(Decimal("0.01"), ROUND_HALF_UP) if count else None
            for name, (amount, count) in self.parts.items()
        }
        return {**averages, "customers": self.customers}


async def customer_quality(session: AsyncSession, vault: Vault, customer_id: UUID) -> CustomerQuality:
    """Judged now, from the file as it is; 404 for a customer that is not visible, or not active any more."""
    rules = await rule_set(session)
    judged = await judge(session, vault, rules, [customer_id])
    if not judged:
        raise NotFound("There is no such active customer in your organisation")
    found = judged[0].assessment
    return CustomerQuality.model_validate(
        {
            **found.scores,
            "customer_id": customer_id,
            "version": judged[0].version,
            "failing": rules.failing(found.failing),
        }
    )


async def summary(
    session: AsyncSession, by: Literal["org", "manager"], org: str | None, manager: str | None
) -> QualitySummary:
    """Units right below `org` (of head office without one), or primary managers."""
    rules, where = await rule_set(session), {"org": org, "manager": manager}
    rows = await fetch(session, _GROUPS, where)
    whole, groups = _Sum(), dict[str, _Sum]()
    depth = (org or "hq").count(".") + 2
    for unit, staff, customers, *numbers, _at in rows:
        parts = {name: numbers[2 * i : 2 * i + 2] for i, name in enumerate(_SCORES)}
        key = ".".join(unit.split(".")[:depth]) if by == "org" else staff
        for each in (whole, groups.setdefault(key, _Sum())):
            each.add(customers, parts)
    named = [
        QualityGroup.model_validate({by: key or None, **found.scores()}) for key, found in groups.items()
    ]
    worst = sorted(
        named, key=lambda group: (group.score is None, group.score, group.org or group.manager or "")
    )
    return QualitySummary.model_validate(
        {
            **whole.scores(),
            "groups": worst[:_MOST_GROUPS],
            "failing": await _failing(session, rules, where),
            "trend": await _trend(session, where),
            "evaluated_at": min((row[-1] for row in rows), default=None),
        }
    )


async def worklist(
    session: AsyncSession,
    page: PageRequest,
    *,
    org: str | None,
    manager: str | None,
    rule: str | None,
    run_id: UUID | None,
) -> Page[WorklistItem]:
    """Files that are not perfect, worst × most valuable first."""
    rules = await rule_set(session)
    conditions = _conditions(org, manager)
    contribution = _contribution(run_id)
    priority = ((100 - QualityResult.score) * (1 + func.greatest(contribution, 0))).cast(Numeric(30, 4))
    statement: Select[*tuple[Any, ...]] = (
        select(
            QualityResult.customer_id,
            Customer.org_path,
            Customer.primary_manager,
            QualityResult.score,
            QualityResult.failing,
            contribution.label("contribution"),
        )
        .join(Customer, Customer.id == QualityResult.customer_id)
        .where(
            QualityResult.score < 100,
            Customer.status == "active",
            Customer.merged_into.is_(None),
            *conditions,
        )
    )
    if rule is not None:
        statement = statement.where(QualityResult.failing.has_key(rule))
    keys: list[Any] = [priority, QualityResult.customer_id]
    return await paginate(session, statement, keys, page, lambda row: _item(rules, row), descending=True)


def _item(rules: RuleSet, row: Any) -> WorklistItem:
    return WorklistItem(
        customer_id=row.customer_id,
        org=row.org_path,
        primary_manager=row.primary_manager,
        score=row.score,
        contribution=row.contribution,
        priority=row[6],
        failing=rules.failing(row.failing),
    )


def _conditions(org: str | None, manager: str | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if org is not None:
        below = Customer.org_path.startswith(org + ".", autoescape=True)
        found.append(or_(Customer.org_path == org, below))
    if manager is not None:
        found.append(Customer.primary_manager == manager)
    return found


def _contribution(run_id: UUID | None) -> ColumnElement[Decimal]:
    """Of the customer with its merged files, by primary key: so many look-ups as rows."""
    merged = aliased(Customer)
    of_run = select(func.sum(CustomerValue.contribution)).where(CustomerValue.run_id == run_id)
    own = of_run.where(CustomerValue.customer_id == Customer.id).correlate(Customer)
    theirs = (
        of_run.join(merged, merged.id == CustomerValue.customer_id)
        .where(merged.merged_into == Customer.id)
        .correlate(Customer)
    )
    nothing = literal(0, Numeric(20, 2))
    return func.coalesce(own.scalar_subquery(), nothing) + func.coalesce(theirs.scalar_subquery(), nothing)


async def _failing(session: AsyncSession, rules: RuleSet, where: Mapping[str, Any]) -> list[RuleCount]:
    rows = await fetch(session, _FAILING, where)
    return [
        RuleCount(code=code, name=rules.views[code].name, customers=count)
        for code, count in rows
        if code in rules.views
    ]


async def _trend(session: AsyncSession, where: Mapping[str, Any]) -> list[QualityPoint]:
    after = clock.today() - timedelta(days=_TREND_DAYS)
    days: dict[date, _Sum] = {}
    for day, customers, sums in await fetch(session, _TREND, {**where, "after": after}):
        days.setdefault(day, _Sum()).add(customers, sums)
    return [QualityPoint.model_validate({"day": day, **found.scores()}) for day, found in days.items()]
