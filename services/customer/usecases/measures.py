"""Balances as measured: each moves the account's present and its history, in any order of arrival."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.usecases.publishing import publish_holdings
from shared import clock
from shared.db import fetch

UNMEASURED = datetime(1900, 1, 1, tzinfo=UTC)
"""`measured_at` of an account known to exist whose balance nobody has told: any real measure beats it."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What one message says of one account. Of two for one day the later `measured_at` counts."""

    customer_id: UUID
    account: str
    product: str
    balance: Decimal
    currency: str
    as_of: date
    measured_at: datetime
    opened_on: date | None = None
    matures_on: date | None = None
    closed_on: date | None = None


# The present is the greatest (measured?, as_of, measured_at, balance, product, currency); opening is the
# earliest told, maturity and closing the latest. All of these are orderings, so every permutation of the
# same messages ends in the same rows.
_APPLY = """
WITH intake AS (
  SELECT * FROM unnest(
    %(customer_id)b::uuid[], %(account)b::text[], %(product)b::text[], %(balance)b::numeric[],
    %(currency)b::text[],
    %(as_of)b::date[], %(measured_at)b::timestamptz[], %(opened_on)b::date[], %(matures_on)b::date[],
    %(closed_on)b::date[]
  ) AS m(customer_id, account, product, balance, currency, as_of, measured_at, opened_on, matures_on,
         closed_on)
), days AS (
  INSERT INTO holding_day AS d (customer_id, account, as_of, balance, measured_at, recorded_at)
  SELECT DISTINCT ON (customer_id, account, as_of) customer_id, account, as_of, balance, measured_at,
    %(now)s::timestamptz
  FROM intake WHERE measured_at > %(unmeasured)s
  ORDER BY customer_id, account, as_of, measured_at DESC, balance DESC
  ON CONFLICT (customer_id, account, as_of) DO UPDATE
  SET balance = EXCLUDED.balance, measured_at = EXCLUDED.measured_at,
    recorded_at = CASE WHEN EXCLUDED.balance = d.balance THEN d.recorded_at ELSE EXCLUDED.recorded_at END
  WHERE (EXCLUDED.measured_at, EXCLUDED.balance) > (d.measured_at, d.balance)
  RETURNING d.customer_id, d.account, d.as_of, d.balance
), latest AS (
  SELECT DISTINCT ON (customer_id, account) customer_id, account, product, balance, currency, as_of,
    measured_at, min(opened_on) OVER w AS opened_on, max(matures_on) OVER w AS matures_on,
    max(closed_on) OVER w AS closed_on
  FROM intake WINDOW w AS (PARTITION BY customer_id, account)
  ORDER BY customer_id, account, measured_at > %(unmeasured)s DESC, as_of DESC, measured_at DESC,
    balance DESC, product DESC, currency DESC
), held AS (
  INSERT INTO holding AS h (customer_id, account, product, balance, currency, as_of, measured_at,
                            opened_on, matures_on, closed_on)
  SELECT customer_id, account, product, balance, currency, as_of, measured_at, opened_on, matures_on,
    closed_on
  FROM latest
  ON CONFLICT (customer_id, account) DO UPDATE SET
    (product, balance, currency, as_of, measured_at) = (
      SELECT n.product, n.balance, n.currency, n.as_of, n.measured_at FROM (VALUES
        (EXCLUDED.product, EXCLUDED.balance, EXCLUDED.currency, EXCLUDED.as_of, EXCLUDED.measured_at),
        (h.product, h.balance, h.currency, h.as_of, h.measured_at)
      ) AS n(product, balance, currency, as_of, measured_at)
      ORDER BY n.measured_at > %(unmeasured)s DESC, n.as_of DESC, n.measured_at DESC, n.balance DESC,
        n.product DESC, n.currency DESC LIMIT 1),
    opened_on = least(h.opened_on, EXCLUDED.opened_on),
    matures_on = greatest(h.matures_on, EXCLUDED.matures_on),
    closed_on = greatest(h.closed_on, EXCLUDED.closed_on)
  WHERE (EXCLUDED.measured_at > %(unmeasured)s, EXCLUDED.as_of, EXCLUDED.measured_at, EXCLUDED.balance,
         EXCLUDED.product, EXCLUDED.currency)
          > (h.measured_at > %(unmeasured)s, h.as_of, h.measured_at, h.balance, h.product, h.currency)
     OR least(h.opened_on, EXCLUDED.opened_on) IS DISTINCT FROM h.opened_on
     OR greatest(h.matures_on, EXCLUDED.matures_on) IS DISTINCT FROM h.matures_on
     OR greatest(h.closed_on, EXCLUDED.closed_on) IS DISTINCT FROM h.closed_on
  RETURNING h.*
), told AS (
  SELECT customer_id, account, as_of, balance, NULL AS product, NULL AS currency, NULL::date AS opened_on,
    NULL::date AS matures_on, NULL::date AS closed_on FROM days
  UNION ALL
  SELECT customer_id, account, as_of, balance, product, currency, opened_on, matures_on, closed_on FROM held
), changed AS (
  -- One row of `held` an account at most: max() hands its values to the account's days without a join.
  SELECT DISTINCT customer_id, account, as_of, balance, max(product) OVER w AS product,
    max(currency) OVER w AS currency, max(opened_on) OVER w AS opened_on,
    max(matures_on) OVER w AS matures_on,
    max(closed_on) OVER w AS closed_on
  FROM told WINDOW w AS (PARTITION BY customer_id, account)
)
SELECT coalesce(s.id, customer_id),
  CASE WHEN s.id IS NULL THEN '{'
       ELSE format('{"home_id": "%%s", "home_ordinal": %%s, ', c.id, c.ordinal) END ||
  substr(json_build_object(
    'customer_id', coalesce(s.id, customer_id), 'ordinal', coalesce(s.ordinal, c.ordinal),
    'account', account, 'product', p.code, 'category', p.category, 'balance', n.balance::numeric(18,2)::text,
    'currency', coalesce(n.currency, h.currency), 'as_of', n.as_of,
    'opened_on', coalesce(n.opened_on, h.opened_on), 'matures_on', coalesce(n.matures_on, h.matures_on),
    'closed', coalesce(coalesce(n.closed_on, h.closed_on) = n.as_of, false))::text, 2)
FROM changed n JOIN customer c ON c.id = n.customer_id LEFT JOIN customer s ON s.id = c.merged_into
LEFT JOIN holding h USING (customer_id, account)
JOIN product p ON p.code = coalesce(n.product, h.product)
ORDER BY customer_id, account, n.as_of
"""


async def apply_measures(session: AsyncSession, measures: Sequence[Measure]) -> int:
    """Apply and publish what changed; the number of changed account days.

    Products must exist and customers be visible: callers check first and refuse by item.
    """
    columns = {f.name: [getattr(measure, f.name) for measure in measures] for f in fields(Measure)}
    return await apply_columns(session, columns) if measures else 0


async def apply_columns(session: AsyncSession, columns: Mapping[str, Sequence[object]]) -> int:
    """As `apply_measures`, for bulk paths that have columns: one sequence per field of Measure."""
    rows = await fetch(session, _APPLY, {**columns, "unmeasured": UNMEASURED, "now": clock.now()})
    await publish_holdings(session, ((row[0], row[1].encode()) for row in rows))
    return len(rows)
