"""What all customers of the bank do and hold, month by month: counted inside DuckDB.

A month is one where the bank is; `month` in a row is its first day. Whose a row is now counts, so that a
merged family is one customer. Amounts are whole hundredths.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import duckdb

from services.evaluation.store.outcomes import naive_utc, select
from services.evaluation.store.quantities import HUNDREDTHS
from shared import clock

TRANSACTION, SALARY, SPENT = "transaction.posted", "salary.received", "card.spent"


def next_month(month: date, by: int = 1) -> date:
    """The first day of the month that many months later; earlier when negative."""
    years, months = divmod(month.year * 12 + month.month - 1 + by, 12)
    return date(years, months + 1, 1)


@dataclass(frozen=True)
class Months:
    """From the month that begins on `first` to the one that begins on `last`."""

    first: date
    last: date

    def each(self) -> list[date]:
        count = (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1
        return [next_month(self.first, n) for n in range(count)]

    def parameters(self) -> dict[str, object]:
        return {
            "first": self.first,
            "last": self.last,
            "begins": _begins(self.first),
            "first_ends": _begins(next_month(self.first)),
            "last_begins": _begins(self.last),
            "ends": _begins(next_month(self.last)),
            "closes": next_month(self.last) - timedelta(days=1),
            "zone": str(clock.ZONE),
            "transaction": TRANSACTION,
            "flows": [TRANSACTION, SALARY, SPENT],
        }


def _begins(day: date) -> datetime:
    return naive_utc(datetime.combine(day, time(), clock.ZONE).astimezone(UTC))


_MONTH = "date_trunc('month', time AT TIME ZONE 'UTC' AT TIME ZONE $zone)::DATE"
_WITHIN = "time >= $begins AND time < $ends"

# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────


class Use(NamedTuple):
    """`channel` None: all together; empty: none was named."""

    month: date
    channel: str | None
    customers: int
    transactions: int


class Move(NamedTuple):
    """`before`, `after`: None is inactive."""

    before: str | None
    after: str | None
    customers: int


def channel_uses(cursor: duckdb.DuckDBPyConnection, months: Months) -> list[Use]:
    rows = select(
        cursor,
        f"""
        WITH used AS (
            SELECT {_MONTH} AS month, customer_id, coalesce(channel, '') AS channel, count(*) AS n
            FROM event WHERE type = $transaction AND {_WITHIN} GROUP BY ALL
        )
        SELECT month, CASE WHEN grouping(channel) = 0 THEN channel END, count(DISTINCT customer_id), sum(n)
        FROM used GROUP BY GROUPING SETS ((month), (month, channel)) ORDER BY month, 4 DESC, 2
        """,  # noqa: S608 - our own names, values are bound
        months.parameters(),
    )
    return [Use(month, channel, int(customers), int(n)) for month, channel, customers, n in rows]


def channel_moves(cursor: duckdb.DuckDBPyConnection, months: Months) -> list[Move]:
    """Between the channels that customers used most in the first month and in the last."""
    rows = select(
        cursor,
        f"""
        WITH used AS (
            SELECT customer_id, {_MONTH} AS month, coalesce(channel, '') AS channel, count(*) AS n,
                   max(time) AS used_at
            FROM event
            WHERE type = $transaction AND {_WITHIN} AND (time < $first_ends OR time >= $last_begins)
            GROUP BY ALL
        ),
        main AS (
            SELECT customer_id, month, first(channel ORDER BY n DESC, used_at DESC, channel) AS channel
            FROM used GROUP BY ALL
        ),
        way AS (
            SELECT customer_id, any_value(channel) FILTER (month = $first) AS before,
                   any_value(channel) FILTER (month = $last) AS after
            FROM main GROUP BY customer_id
        )
        SELECT before, after, count(*) FROM way GROUP BY ALL ORDER BY ALL NULLS LAST
        """,  # noqa: S608 - as above
        months.parameters(),
    )
    return [Move(before, after, int(n)) for before, after, n in rows]


# ── products ──────────────────────────────────────────────────────────────────────────────────────────────

# The last word on an account in each month holds until the next; what was said before the first month
# counts as said in it.
_STANDING = """
    said AS (
        SELECT coalesce(home, customer_id) AS own, account, customer_id,
               greatest(date_trunc('month', as_of)::DATE, $first) AS month,
               max_by(category, as_of) AS category, max_by(product, as_of) AS product,
               max_by(currency, as_of) AS currency, max_by(closed, as_of) AS closed,
               max_by(balance, as_of) AS balance
        FROM holding WHERE as_of <= $closes GROUP BY ALL
    ),
    spanned AS (
        SELECT *, lead(month) OVER w AS until, row_number() OVER w = 1 AS told_first
        FROM said WINDOW w AS (PARTITION BY own, account ORDER BY month)
    ),
    standing AS (
        SELECT * EXCLUDE (month, until, told_first), told_first AND since = month AS told_first,
               since::DATE AS month
        FROM spanned, unnest(
            generate_series(month, coalesce(until - INTERVAL 1 MONTH, $last), INTERVAL 1 MONTH)
        ) AS s(since)
        WHERE NOT closed
    )
"""


class Holders(NamedTuple):
    """`category` None: of any."""

    month: date
    category: str | None
    customers: int


class Both(NamedTuple):
    held: str
    also: str
    customers: int


class Turnover(NamedTuple):
    category: str | None
    opened: int
    closed: int


def holders(cursor: duckdb.DuckDBPyConnection, months: Months) -> list[Holders]:
    """Customers with an open account at the close of each month that has any."""
    rows = select(
        cursor,
        f"""
        WITH {_STANDING}, one AS (SELECT DISTINCT month, customer_id, category FROM standing)
        SELECT month, CASE WHEN grouping(category) = 0 THEN category END, count(DISTINCT customer_id)
        FROM one GROUP BY GROUPING SETS ((month), (month, category)) ORDER BY 1, 3 DESC, 2
        """,  # noqa: S608 - as above
        months.parameters(),
    )
    return [Holders(month, category, int(n)) for month, category, n in rows]


def products_held(cursor: duckdb.DuckDBPyConnection, month: date) -> list[tuple[int, int]]:
    """How many different products, and customers who hold that many, at the close of a month."""
    return [
        (int(products), int(customers))
        for products, customers in select(
            cursor,
            f"""
            WITH {_STANDING},
            one AS (SELECT customer_id, count(DISTINCT product) AS products FROM standing GROUP BY ALL)
            SELECT products, count(*) FROM one GROUP BY ALL ORDER BY ALL
            """,  # noqa: S608 - as above
            Months(month, month).parameters(),
        )
    ]


def held_together(cursor: duckdb.DuckDBPyConnection, month: date) -> list[Both]:
    """Of each two categories somebody holds, who hold both at the close of a month."""
    rows = select(
        cursor,
        f"""
        WITH {_STANDING}, one AS (SELECT DISTINCT customer_id, category FROM standing)
        SELECT a.category, b.category, count(*)
        FROM one AS a JOIN one AS b ON a.customer_id = b.customer_id AND a.category <> b.category
        GROUP BY ALL ORDER BY ALL
        """,  # noqa: S608 - as above
        Months(month, month).parameters(),
    )
    return [Both(held, also, int(n)) for held, also, n in rows]


# Of a product whose accounts changed category, the newest word.
_CATALOGUE = (
    "catalogue AS (SELECT product, max_by(category, as_of) AS category FROM holding GROUP BY product)"
)


def turnover(cursor: duckdb.DuckDBPyConnection, month: date) -> list[Turnover]:
    """Products opened and closed in a month, by category; None where no account tells it."""
    rows = select(
        cursor,
        f"""
        WITH {_CATALOGUE}
        SELECT category, count(*) FILTER (type = 'product.opened'), count(*) FILTER (type = 'product.closed')
        FROM event LEFT JOIN catalogue USING (product)
        WHERE type IN ('product.opened', 'product.closed') AND {_WITHIN} GROUP BY ALL
        """,  # noqa: S608 - as above
        Months(month, month).parameters(),
    )
    return [Turnover(category, int(opened), int(closed)) for category, opened, closed in rows]


# ── funds ─────────────────────────────────────────────────────────────────────────────────────────────────


class Flowed(NamedTuple):
    """In hundredths; `channel` empty: none was named; `category` None: the product is not known."""

    month: date
    type: str
    channel: str
    category: str | None
    inflow: int
    outflow: int
    undirected: int
    events: int


class Balance(NamedTuple):
    """At the close of a month, in hundredths; `first_told`: of accounts unknown at the close before."""

    month: date
    category: str
    closing: int
    first_told: int


def flows(cursor: duckdb.DuckDBPyConnection, months: Months, currency: str) -> list[Flowed]:
    """Transactions, salaries and card spending; an event that names no currency is in CNY."""
    rows = select(
        cursor,
        f"""
        WITH {_CATALOGUE},
        moved AS (
            SELECT {_MONTH} AS month, type, coalesce(channel, '') AS channel, product, direction,
                   count(*) AS n, coalesce(sum((amount * {HUNDREDTHS})::HUGEINT), 0) AS minor
            FROM event
            WHERE list_contains($flows, type) AND {_WITHIN} AND coalesce(currency, 'CNY') = $currency
            GROUP BY ALL
        )
        SELECT month, type, channel, category, coalesce(sum(minor) FILTER (direction = 'in'), 0),
               coalesce(sum(minor) FILTER (direction = 'out'), 0),
               coalesce(sum(minor) FILTER (direction IS NULL OR direction NOT IN ('in', 'out')), 0), sum(n)
        FROM moved LEFT JOIN catalogue USING (product) GROUP BY ALL ORDER BY ALL
        """,  # noqa: S608 - as above
        months.parameters() | {"currency": currency},
    )
    return [
        Flowed(month, kind, channel, category, int(inflow), int(outflow), int(undirected), int(n))
        for month, kind, channel, category, inflow, outflow, undirected, n in rows
    ]


def currencies(cursor: duckdb.DuckDBPyConnection, months: Months) -> list[str]:
    """Of what `flows` and `balances` tell of; a source's own words in the place of a code are none."""
    rows = select(
        cursor,
        f"""
        WITH {_STANDING}
        SELECT coalesce(currency, 'CNY') AS code FROM event
        WHERE list_contains($flows, type) AND {_WITHIN} AND regexp_full_match(code, '[A-Z]{{3}}')
        UNION SELECT currency FROM standing WHERE regexp_full_match(currency, '[A-Z]{{3}}')
        ORDER BY code
        """,  # noqa: S608 - as above
        months.parameters(),
    )
    return [code for (code,) in rows]


def balances(cursor: duckdb.DuckDBPyConnection, months: Months, currency: str) -> list[Balance]:
    """Of open accounts at the close of each month; those of the first month are all told first in it."""
    rows = select(
        cursor,
        f"""
        WITH {_STANDING}
        SELECT month, category, sum((balance * {HUNDREDTHS})::HUGEINT),
               coalesce(sum((balance * {HUNDREDTHS})::HUGEINT) FILTER (told_first), 0)
        FROM standing WHERE currency = $currency GROUP BY ALL ORDER BY ALL
        """,  # noqa: S608 - as above
        months.parameters() | {"currency": currency},
    )
    return [Balance(month, category, int(closing), int(told)) for month, category, closing, told in rows]


def months_before(month: date, count: int) -> Months:
    """The last `count` months up to and including `month`."""
    return Months(next_month(month, 1 - count), month)
