"""What customers contribute by month: of each home, model and month the newest edition told."""

import duckdb
import pyarrow as pa

from services.segmentation.store import schema
from services.segmentation.store.staging import with_staged
from shared.contracts.events import ValuesCalculated

_NEWEST = """
  FROM staged ANTI JOIN erased ON erased.ordinal = staged.home
  QUALIFY row_number() OVER (PARTITION BY staged.home, model, month ORDER BY edition DESC) = 1
"""

# An edition that has nothing to say of a customer any more takes back what an earlier one said.
_WITHDRAW = f"""
MERGE INTO value_withdrawn USING (
  SELECT home, model, month, edition FROM (SELECT staged.* {_NEWEST})
  WHERE products = 0 AND potential IS NULL
) AS staged ON value_withdrawn.home = staged.home AND value_withdrawn.model = staged.model
  AND value_withdrawn.month = staged.month
WHEN MATCHED AND staged.edition > value_withdrawn.edition THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME
"""  # noqa: S608 - a constant

_DELETE = """
DELETE FROM value USING value_withdrawn AS gone
WHERE value.home IN (SELECT home FROM staged) AND value.home = gone.home AND value.model = gone.model
  AND value.month = gone.month AND value.edition < gone.edition
"""

_MERGE = f"""
MERGE INTO value USING (
  SELECT staged.* EXCLUDE (products), coalesce(alias.survivor, staged.home) AS ordinal
  FROM (SELECT staged.* {_NEWEST}) AS staged
  LEFT JOIN alias ON alias.home = staged.home
  LEFT JOIN value_withdrawn AS gone
    ON gone.home = staged.home AND gone.model = staged.model AND gone.month = staged.month
  WHERE NOT (products = 0 AND potential IS NULL) AND (gone.edition IS NULL OR staged.edition > gone.edition)
) AS staged ON value.home = staged.home AND value.model = staged.model AND value.month = staged.month
WHEN MATCHED AND staged.edition > value.edition THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME
"""  # noqa: S608 - a constant

_LOAD = """
INSERT INTO value BY NAME
SELECT exported.home, coalesce(alias.survivor, exported.home) AS ordinal, model, month, edition, contribution,
  income, net_income, capital_years, raroc, potential
FROM (SELECT *, coalesce(home_ordinal, ordinal) AS home FROM exported) AS exported
ANTI JOIN erased ON erased.ordinal = exported.home
LEFT JOIN alias ON alias.home = exported.home
"""


def merge_values(cursor: duckdb.DuckDBPyConnection, staged: pa.Table) -> None:
    for statement in (_WITHDRAW, _DELETE, _MERGE):
        with_staged(cursor, staged, statement)


def load_values(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader) -> None:
    """The export into an empty table, after the customers."""
    cursor.register("exported", reader)
    cursor.execute(_LOAD)
    cursor.unregister("exported")


def value_table(events: list[ValuesCalculated]) -> pa.Table:
    rows = [
        {
            **each.model_dump(exclude={"customer_id", "ordinal", "home_id", "home_ordinal"}),
            "home": each.ordinal if each.home_ordinal is None else each.home_ordinal,
            "raroc": None if each.raroc is None else float(each.raroc),
            "model": event.model,
            "month": event.month,
            "edition": event.edition,
        }
        for event in events
        for each in event.values
    ]
    return pa.Table.from_pylist(rows, schema.VALUES)
