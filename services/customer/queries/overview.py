"""Everything about one customer in one round trip: the 360° view."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.queries.customers import opened
from services.customer.queries.private import with_private
from shared import clock
from shared.db import fetch
from shared.errors import NotFound

_LIABILITIES = frozenset({"loan", "card"})

# JSON is built where the rows are and reaches the response as it is; only holdings are parsed, for totals.
# Facts are those of the whole family: a customer and all merged into it. Of each member an index gives the
# latest, so that a long history costs no more than a short one.
_OVERVIEW = """
WITH family AS MATERIALIZED (
  SELECT id FROM customer WHERE id = %(customer)s
  UNION ALL SELECT id FROM customer WHERE merged_into = %(customer)s
)
SELECT c.pii, k.wrapped_key, c.version, c.birth_date, c.risk_valid_until,
  json_build_object(
    'gender', c.gender, 'birth_date', c.birth_date, 'occupation', c.occupation, 'industry', c.industry,
    'risk_level', c.risk_level, 'risk_valid_until', c.risk_valid_until, 'customer_since', c.customer_since,
    'id', c.id, 'ordinal', c.ordinal, 'version', c.version, 'kind', c.kind, 'status', c.status,
    'merged_into', c.merged_into,
    'identities', (SELECT coalesce(json_agg(json_build_object('source', s.source, 'source_id', s.source_id)
                                            ORDER BY s.source, s.source_id), '[]')
                   FROM source_identity s WHERE s.customer_id IN (SELECT id FROM family)),
    'org', c.org_path, 'primary_manager', c.primary_manager, 'backup_manager', c.backup_manager,
    'consents', c.consents, 'masked', true, 'created_at', c.created_at, 'updated_at', c.updated_at)::text,
  json_build_object('zh', o.name_zh, 'en', o.name_en)::text, pm.name, bm.name,
  (SELECT coalesce(json_agg(h.item), '[]')::text FROM (
     SELECT json_build_object(
       'account', h.account, 'product', h.product,
       'product_name', json_build_object('zh', p.name_zh, 'en', p.name_en),
       'category', p.category, 'balance', h.balance::text, 'currency', h.currency, 'as_of', h.as_of,
       'opened_on', h.opened_on, 'matures_on', h.matures_on,
       'closed_on', CASE WHEN h.closed_on >= h.as_of THEN h.closed_on END) AS item
     FROM holding h JOIN product p ON p.code = h.product WHERE h.customer_id IN (SELECT id FROM family)
     ORDER BY abs(h.balance) DESC, h.account LIMIT 100) h),
  (SELECT coalesce(json_agg(e.item), '[]')::text FROM (
     SELECT json_build_object(
       'id', e.source || '/' || e.event_id, 'time', e.time, 'kind', 'event', 'type', e.type,
       'source', e.source,
       'data', coalesce(e.data || e.private, e.data),
       'sealed', CASE WHEN e.sealed IS NOT NULL THEN json_build_array(
         e.customer_id, encode(ek.wrapped_key, 'base64'), encode(e.sealed, 'base64')) END) AS item
     FROM family f CROSS JOIN LATERAL (
       SELECT * FROM customer_event WHERE customer_id = f.id ORDER BY time DESC, seq DESC LIMIT 20) e
     LEFT JOIN customer_key ek ON ek.customer_id = e.customer_id
     ORDER BY e.time DESC, e.seq DESC LIMIT 20) e),
  (SELECT coalesce(json_agg(x.item), '[]')::text FROM (
     SELECT json_build_object('contact_id', t.contact_id, 'campaign_id', t.campaign_id, 'state', t.state,
       'disposition', t.disposition, 'time', t.recorded_at) AS item
     FROM (SELECT DISTINCT ON (contact_id) * FROM customer_contact
           WHERE customer_id IN (SELECT id FROM family) ORDER BY contact_id, version DESC) t
     ORDER BY t.recorded_at DESC LIMIT 20) x)
FROM customer c
LEFT JOIN customer_key k ON k.customer_id = c.id
JOIN org_unit o ON o.code = c.org_path
LEFT JOIN staff pm ON pm.code = c.primary_manager
LEFT JOIN staff bm ON bm.code = c.backup_manager
WHERE c.id = %(customer)s
"""


@dataclass(frozen=True, slots=True)
class Overview:
    """The finished JSON of a Customer360 and the customer's version."""

    body: bytes
    version: int


async def overview(session: AsyncSession, vault: Vault, customer_id: UUID) -> Overview:
    """404 when the customer is not visible. Personal fields are masked."""
    rows = await fetch(session, _OVERVIEW, {"customer": customer_id})
    if not rows:
        raise NotFound("There is no such customer in your organisation")
    pii, key, version, born, risk_until, customer, org, primary, backup, holdings, events, contacts = rows[0]
    personal = opened(vault, customer_id, key, pii, reveal=False)
    held = orjson.loads(holdings)
    body = orjson.dumps(
        {
            "customer": {**personal, **orjson.loads(customer)},
            "org_name": orjson.Fragment(org),
            "primary_manager_name": primary,
            "backup_manager_name": backup,
            "totals": totals(held),
            "holdings": orjson.Fragment(holdings),
            "timeline": [with_private(vault, event) for event in orjson.loads(events)],
            "contacts": orjson.Fragment(contacts),
            "next_dates": next_dates(clock.today(), born, risk_until, held),
        }
    )
    return Overview(body, version)


def totals(holdings: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """Assets and liabilities by currency over open accounts."""
    sums: dict[str, list[Decimal]] = {}
    for holding in holdings:
        if holding["closed_on"] is None:
            pair = sums.setdefault(holding["currency"], [Decimal("0.00"), Decimal("0.00")])
            pair[holding["category"] in _LIABILITIES] += Decimal(holding["balance"])
    return [
        {"currency": currency, "assets": str(assets), "liabilities": str(liabilities)}
        for currency, (assets, liabilities) in sorted(sums.items())
    ]


def next_dates(
    today: date, born: date | None, risk_until: date | None, holdings: Sequence[dict[str, Any]]
) -> list[dict[str, object]]:
    """What comes within a year, soonest first, at most ten."""
    found: list[dict[str, object]] = []
    if born is not None:
        found.append({"kind": "birthday", "date": _next_birthday(born, today), "subject": ""})
    if risk_until is not None:
        found.append({"kind": "risk_expiry", "date": risk_until, "subject": ""})
    found += [
        {"kind": "maturity", "date": date.fromisoformat(holding["matures_on"]), "subject": holding["account"]}
        for holding in holdings
        if holding["matures_on"] and holding["closed_on"] is None
    ]
    soon = [item for item in found if today <= _day(item) <= today + timedelta(days=366)]
    return sorted(soon, key=lambda item: (_day(item), str(item["kind"])))[:10]


def _day(item: dict[str, object]) -> date:
    day = item["date"]
    if not isinstance(day, date):
        raise TypeError("a next date has a date")
    return day


def _next_birthday(born: date, today: date) -> date:
    """29 February is kept on 28 February in other years."""
    for year in (today.year, today.year + 1):
        try:
            birthday = born.replace(year=year)
        except ValueError:
            birthday = date(year, 2, 28)
        if birthday >= today:
            return birthday
    raise AssertionError("a birthday falls within two calendar years")
