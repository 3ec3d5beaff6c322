"""The store as it was, for one cursor."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from services.segmentation.domain.rules.compiler import Moment

# They hide the tables of the same name from this cursor alone. A customer who has closed since was one then.
_SHADOWS = {
    "customer": "SELECT * REPLACE ('active' AS status) FROM {db}.main.customer "
    "WHERE status IN ('active', 'closed') AND (customer_since IS NULL OR customer_since <= {today})",
    "holding": "FROM {db}.main.holding WHERE as_of <= {today}{whose}",
    "holding_latest": "FROM {db}.main.holding WHERE as_of <= {today}{whose} "
    "QUALIFY row_number() OVER (PARTITION BY home, account ORDER BY as_of DESC) = 1",
    "event": "FROM {db}.main.event WHERE time <= {t}",
    "value": "FROM {db}.main.value WHERE month < date_trunc('month', {today})",
}


@contextmanager
def as_of(cursor: duckdb.DuckDBPyConnection, moment: Moment, *, of: str | None = None) -> Iterator[None]:
    """Within the block the cursor's tables are what they were at `moment`, as far as that is known today.

    `of`: a relation of ordinals, if nobody else's holdings are asked for; finding which of an account's
    states was the last one is most of the work.
    """
    ((database,),) = cursor.execute("SELECT current_database()").fetchall()
    names = {
        "db": '"{}"'.format(database.replace('"', '""')),
        "today": f"DATE '{moment.today.isoformat()}'",
        "whose": f" AND ordinal IN (SELECT ordinal FROM {of})" if of else "",  # noqa: S608 - our own name
        "t": f"TIMESTAMP '{moment.utc.isoformat(sep=' ')}'",
    }
    try:
        for table, rows in _SHADOWS.items():
            cursor.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {rows.format_map(names)}")
        yield
    finally:
        for table in _SHADOWS:
            cursor.execute(f"DROP VIEW IF EXISTS temp.main.{table}")
