"""The two sides of a claim, added up in the engine over the customers of one moment."""

from collections.abc import Mapping

import duckdb
from pyroaring import BitMap

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.hypothesis import Arm
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.tree import Rule
from services.segmentation.store.reading import register_references

# Who is in the group is never in the comparison. Welford's algorithm: no loss on large balances.
_ARMS = """
SELECT coalesce(grouped, false), count(*), count(measured), avg(measured), var_samp(measured)
FROM ({judged}) WHERE grouped OR compared GROUP BY 1
"""


def arms(
    cursor: duckdb.DuckDBPyConnection,
    group: Rule,
    against: Rule | None,
    metric: str,
    catalogue: Catalogue,
    members: Mapping[str, BitMap],
    moment: Moment,
    org: str,
) -> tuple[Arm, Arm]:
    """The group and what it is compared with: `against`, or everybody else, below `org`."""
    compiler = Compiler(catalogue, moment)
    compiler.add_rule("grouped", group)
    if against is not None:
        compiler.add_rule("compared", against)
    compiler.add_feature("measured", metric, numeric=True)
    query = compiler.query(org=org)
    register_references(cursor, query, members.__getitem__)
    judged = query.sql if against is not None else f"SELECT *, true AS compared FROM ({query.sql})"  # noqa: S608
    rows = cursor.execute(_ARMS.format(judged=judged), dict(query.parameters)).fetchall()
    found = {grouped: Arm(customers, n, mean, variance) for grouped, customers, n, mean, variance in rows}
    nobody = Arm(0, 0, None, None)
    return found.get(True, nobody), found.get(False, nobody)
