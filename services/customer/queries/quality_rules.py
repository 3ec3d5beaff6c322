"""The bank's rules of data quality, compiled, and what they say of files as they are."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.quality import Assessment, Profile, Rule, assess, compile_rule
from services.customer.domain.vault import SealBrokenError, Vault
from services.customer.models import QualityRule
from shared import clock
from shared.contracts.customer.quality import FailingRule, QualityRuleView, QualityRuleWrite, Unique
from shared.db import fetch
from shared.errors import NotFound

_PROFILES: LiteralString = """
SELECT c.id, c.version, c.kind, c.updated_at, c.pii, k.wrapped_key, r.id_number, r.phone,
  c.occupation, c.industry, c.gender, c.birth_date, c.risk_level, c.risk_valid_until, c.customer_since,
  c.primary_manager, c.backup_manager, c.consents
FROM customer c LEFT JOIN customer_key k ON k.customer_id = c.id
JOIN repeated_marks(%(ids)b::uuid[]) r ON r.customer_id = c.id
WHERE c.id = ANY(%(ids)b::uuid[]) AND c.status = 'active' AND c.merged_into IS NULL
"""
_PLAIN = (
    "occupation",
    "industry",
    "gender",
    "birth_date",
    "risk_level",
    "risk_valid_until",
    "customer_since",
    "primary_manager",
    "backup_manager",
    "consents",
)


@dataclass(frozen=True)
class RuleSet:
    """The active rules; `stamp` changes with any of them."""

    rules: Sequence[Rule]
    views: Mapping[str, QualityRuleView]
    stamp: str

    def unique(self, field: str) -> list[str]:
        """Codes of the rules that nobody else has `field`."""
        checks = ((code, view.check) for code, view in self.views.items())
        return [code for code, check in checks if isinstance(check, Unique) and check.field == field]

    def failing(self, codes: Sequence[str]) -> list[FailingRule]:
        """The heaviest first. A rule switched off since then is not mentioned."""
        found = [self.views[code] for code in codes if code in self.views]
        names = FailingRule.model_fields
        return [
            FailingRule.model_validate({name: getattr(view, name) for name in names})
            for view in sorted(found, key=lambda view: (-view.weight, view.code))
        ]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules say of one version of a customer's file."""

    customer_id: UUID
    version: int
    assessment: Assessment


async def rule_set(session: AsyncSession) -> RuleSet:
    rows = (await session.scalars(select(QualityRule).order_by(QualityRule.code))).all()
    views = {row.code: rule_view(row) for row in rows}
    active = {code: view for code, view in views.items() if view.active}
    stamp = ",".join(f"{code}:{view.version}" for code, view in active.items())
    return RuleSet(
        rules=[compile_rule(code, view) for code, view in active.items()],
        views=active,
        stamp=hashlib.sha256(stamp.encode()).hexdigest()[:16],
    )


def rule_view(row: QualityRule) -> QualityRuleView:
    spec = QualityRuleWrite.model_validate(row.spec)
    return QualityRuleView.model_validate({**spec.model_dump(), "code": row.code, "version": row.version})


def all_rules() -> Select[QualityRule]:
    return select(QualityRule)


async def rule(session: AsyncSession, code: str) -> QualityRuleView:
    row = await session.get(QualityRule, code)
    if row is None:
        raise NotFound("There is no such rule")
    return rule_view(row)


async def judge(
    session: AsyncSession, vault: Vault, rules: RuleSet, customers: Sequence[UUID]
) -> list[Judged]:
    """The active ones of `customers`, opened in memory and judged; merged, closed and erased ones are not."""
    today = clock.today()
    rows = await fetch(session, _PROFILES, {"ids": list(customers)})
    return [Judged(row[0], row[1], assess(rules.rules, _profile(vault, row), today)) for row in rows]


def _profile(vault: Vault, row: Sequence[Any]) -> Profile:
    customer_id, _version, kind, updated_at, pii, key, same_id, same_phone, *plain = row
    personal = _opened(vault, customer_id, key, pii)
    repeated = [name for name, twin in (("id_number", same_id), ("phone", same_phone)) if twin]
    return Profile(
        kind=kind,
        fields={**personal, **dict(zip(_PLAIN, plain, strict=True))},
        updated_on=_day(updated_at),
        repeated=frozenset(repeated),
    )


def _opened(vault: Vault, customer_id: UUID, key: bytes | None, pii: bytes) -> Mapping[str, str | None]:
    """Nothing when the data cannot be opened: to the bank it is not there, and the rules say so."""
    if key is None:
        return {}
    try:
        return vault.open(customer_id, key, pii)
    except SealBrokenError:
        return {}


def _day(at: datetime) -> date:
    return at.astimezone(clock.ZONE).date()
