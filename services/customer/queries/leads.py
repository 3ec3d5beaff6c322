"""Linked marketing: whom around a core company to talk to about what, best first."""

from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.queries.customers import opened
from services.customer.queries.relations import STEP, survivor
from shared.contracts.customer.relations import Lead, LeadOpening, Leads
from shared.db import fetch

PEERS_HOLDING = 0.2
"""From this part of its peers on, what they have is worth mentioning to who has not."""

# One role a customer (the first of the list); what it and its peers hold; what is missing. What a company
# has says little of the people in it, except that it pays salaries.
_LEADS = f"""
WITH related AS (
  SELECT DISTINCT ON (s.other) s.other AS id, s.visible, CASE s.kind
    WHEN 'supplies' THEN 'supplier' WHEN 'distributes' THEN 'distributor' WHEN 'parent' THEN 'subsidiary'
    WHEN 'executive' THEN 'executive' ELSE 'employee' END AS role
  FROM (SELECT %(core)s::uuid AS node) w {STEP}
  ORDER BY s.other, array_position(ARRAY['supplies', 'distributes', 'parent', 'executive', 'employs'], s.kind)
), family AS (
  SELECT %(core)s::uuid AS home, %(core)s::uuid AS id
  UNION ALL SELECT id, id FROM related WHERE visible
  UNION ALL SELECT c.id, c.merged_into FROM customer c
    WHERE c.merged_into = %(core)s OR c.merged_into IN (SELECT id FROM related WHERE visible)
), held AS (
  SELECT DISTINCT f.id, p.category FROM family f
  JOIN holding h ON h.customer_id = f.home JOIN product p ON p.code = h.product
  WHERE h.closed_on IS NULL OR h.closed_on < h.as_of
), peers AS (
  SELECT r.role, h.category, count(*)::float8 / size.n AS part
  FROM related r JOIN held h USING (id)
  JOIN (SELECT role, count(*) AS n FROM related WHERE visible GROUP BY role) size USING (role)
  GROUP BY r.role, h.category, size.n
), wanted AS (
  SELECT c.id, k.category, coalesce(p.part, 0) AS part,
    k.category IN (SELECT category FROM held WHERE id = %(core)s)
      AND (c.kind = 'company' OR k.category = 'payroll') AS core_holds
  FROM related r JOIN customer c ON c.id = r.id
  CROSS JOIN (SELECT DISTINCT category FROM held) k
  LEFT JOIN peers p ON p.role = r.role AND p.category = k.category
  WHERE c.status = 'active' AND NOT EXISTS (
    SELECT 1 FROM held h WHERE h.id = c.id AND h.category = k.category)
), scored AS (
  SELECT id, sum(part + core_holds::int) AS score,
    array_agg(category ORDER BY part + core_holds::int DESC, category) AS categories,
    array_agg(core_holds ORDER BY part + core_holds::int DESC, category) AS core_holds,
    array_agg(part ORDER BY part + core_holds::int DESC, category) AS parts
  FROM wanted WHERE core_holds OR part >= %(peers)s GROUP BY id
)
-- Joined and not looked up row by row: what was computed above has no index.
SELECT c.id, c.kind, r.role, c.org_path, c.primary_manager, c.pii, k.wrapped_key, s.score, s.categories,
  s.core_holds, s.parts, coalesce(o.categories, ARRAY[]::text[]),
  count(o.id) OVER (), count(*) OVER ()
FROM scored s JOIN related r USING (id) JOIN customer c USING (id)
LEFT JOIN (SELECT id, array_agg(category ORDER BY category) AS categories FROM held GROUP BY id) o USING (id)
LEFT JOIN customer_key k ON k.customer_id = c.id
ORDER BY s.score DESC, c.id LIMIT %(limit)s
"""  # noqa: S608 - put together from constants

_HIDDEN = f"""
SELECT count(DISTINCT s.other) FROM (SELECT %(core)s::uuid AS node) w {STEP} WHERE NOT s.visible
"""  # noqa: S608 - put together from constants


async def leads(session: AsyncSession, vault: Vault, customer_id: UUID, as_of: date, *, limit: int) -> Leads:
    """Suppliers, distributors, subsidiaries, employees and executives who lack what is usual around them."""
    core = await survivor(session, customer_id)
    parameters = {
        "core": core,
        "out_kinds": ["parent", "employs"],
        "in_kinds": ["supplies", "distributes", "executive"],
        "as_of": as_of,
        "peers": PEERS_HOLDING,
        "limit": limit,
    }
    rows = await fetch(session, _LEADS, parameters)
    hidden = (await fetch(session, _HIDDEN, parameters))[0][0]
    existing, total = rows[0][12:14] if rows else (0, 0)
    return Leads(
        customer_id=core,
        as_of=as_of,
        leads=[_lead(vault, row) for row in rows],
        existing=existing,
        not_yet_active=total - existing,
        hidden=hidden,
    )


def _lead(vault: Vault, row: tuple[object, ...]) -> Lead:
    (customer_id, kind, role, org, manager, pii, key, score, categories, core_holds, parts, holds, *_) = row
    personal = opened(vault, customer_id, key, pii, reveal=False)  # type: ignore[arg-type]
    openings = [
        LeadOpening(category=category, core_holds=core, peers_holding=part)
        for category, core, part in zip(categories, core_holds, parts, strict=True)  # type: ignore[call-overload]
    ]
    return Lead.model_validate(
        {
            "customer_id": customer_id,
            "name": personal["name"],
            "kind": kind,
            "role": role,
            "active": bool(holds),
            "holds": holds,
            "openings": openings,
            "score": score,
            "org": org,
            "primary_manager": manager,
        }
    )
