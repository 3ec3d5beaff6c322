"""What an unsaved rule would select now."""

from collections.abc import Mapping

import duckdb
import numpy as np
from pyroaring import BitMap

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.json_text import to_condition
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import Rule, leaves
from services.segmentation.domain.rules.windows import freshness
from services.segmentation.store import reading
from shared import clock
from shared.contracts.segmentation import LeafPreview, PreviewView


def preview(
    cursor: duckdb.DuckDBPyConnection,
    rule: Rule,
    members: Mapping[str, BitMap],
    org: str,
    sample: int,
    catalogue: Catalogue,
) -> PreviewView:
    """Counts within the organisation scope `org`; referred segments count with their stored `members`."""
    moment = Moment(clock.now(), clock.ZONE)
    parts = list(leaves(rule))
    compiler = Compiler(catalogue, moment)
    compiler.add_rule("rule", rule)
    for number, leaf in enumerate(parts):
        compiler.add_rule(f"leaf{number}", leaf)
    columns = reading.columns(cursor, compiler.query(org=org), members.__getitem__)
    inside = reading.holds(columns["rule"])
    first = np.sort(columns["ordinal"][inside])[:sample].astype(np.uint32)
    return PreviewView(
        count=int(inside.sum()),
        of=len(columns["ordinal"]),
        sample=list(reading.customer_ids(cursor, first).values()),
        evaluated_at=moment.at,
        sql=to_sql(rule),
        tree=to_condition(rule),
        leaves=[
            LeafPreview(
                text=to_sql(leaf),
                freshness=freshness(leaf, catalogue),
                passing=int(reading.holds(columns[f"leaf{number}"]).sum()),
            )
            for number, leaf in enumerate(parts)
        ],
    )
