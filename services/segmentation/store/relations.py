"""Relations between customers in the store: both ends by home, of each relation the newest version."""

import duckdb
import pyarrow as pa

from services.segmentation.store import schema
from services.segmentation.store.staging import with_staged
from shared.contracts.events import RelationEnd, RelationState

_RESOLVED = """
  SELECT staged.*, coalesce(a.survivor, staged.home_from) AS ordinal_from,
    coalesce(b.survivor, staged.home_to) AS ordinal_to
  FROM staged LEFT JOIN alias a ON a.home = staged.home_from LEFT JOIN alias b ON b.home = staged.home_to
  WHERE staged.home_from NOT IN (SELECT ordinal FROM erased)
    AND staged.home_to NOT IN (SELECT ordinal FROM erased)
"""

_MERGE = f"""
MERGE INTO relation USING (
  SELECT * REPLACE (id::UUID AS id) FROM ({_RESOLVED})
  QUALIFY row_number() OVER (PARTITION BY id ORDER BY version DESC) = 1
) AS staged ON relation.id = staged.id
WHEN MATCHED AND staged.version > relation.version THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME
"""  # noqa: S608 - a constant

_LOAD = f"""
INSERT INTO relation BY NAME SELECT * REPLACE (id::UUID AS id) FROM (
  WITH staged AS (
    SELECT relationship_id AS id, version, coalesce(from_home_ordinal, from_ordinal) AS home_from,
      coalesce(to_home_ordinal, to_ordinal) AS home_to, kind AS type, "symmetric" AS mutual,
      nullif(valid_from::DATE, DATE '0001-01-01') AS valid_from, valid_to::DATE AS valid_until
    FROM exported
  ) {_RESOLVED})
"""  # noqa: S608 - a constant

_REGROUP = """
UPDATE relation SET ordinal_{end} = coalesce(moved.survivor, moved.home)
FROM moved WHERE relation.home_{end} = moved.home
"""


def merge_relations(cursor: duckdb.DuckDBPyConnection, staged: pa.Table) -> None:
    with_staged(cursor, staged, _MERGE)


def load_relations(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader) -> None:
    """The export into an empty table, after the customers."""
    cursor.register("exported", reader)
    cursor.execute(_LOAD)
    cursor.unregister("exported")


def regroup_relations(cursor: duckdb.DuckDBPyConnection) -> None:
    """Both ends follow the table `moved` of a merge or separation."""
    for end in ("from", "to"):
        cursor.execute(_REGROUP.format(end=end))


def relation_table(states: list[RelationState]) -> pa.Table:
    rows = [
        {
            **state.model_dump(exclude={"relation_id", "symmetric", "from_customer", "to_customer"}),
            "mutual": state.symmetric,
            "id": str(state.relation_id),
            "home_from": _home(state.from_customer),
            "home_to": _home(state.to_customer),
        }
        for state in states
    ]
    return pa.Table.from_pylist(rows, schema.RELATIONS)


def _home(end: RelationEnd) -> int:
    return end.ordinal if end.home_ordinal is None else end.home_ordinal
