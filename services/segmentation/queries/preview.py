"""What an unsaved rule would select now."""

from collections.abc import Mapping
from uuid import UUID

import duckdb
import numpy as np
from pyroaring import BitMap
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.json_text import to_condition
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import Leaf, Rule, leaves, segment_keys
from services.segmentation.domain.rules.windows import freshness
from services.segmentation.queries.memberships import members_by_key
from services.segmentation.store import reading
from services.segmentation.store.store import Store
from shared import clock
from shared.contracts.segmentation import LeafPreview, PreviewView


async def preview(
    session: AsyncSession, store: Store, rule: Rule, org: str, sample: int, catalogue: Catalogue
) -> PreviewView:
    """Counts within the organisation scope `org`; referred segments count with their stored members."""
    moment = Moment(clock.now(), clock.ZONE)
    members = await members_by_key(session, segment_keys(rule))
    parts = list(leaves(rule))
    columns, ids = await store.run(
        lambda cursor: _evaluate(cursor, catalogue, rule, parts, members, moment, org, sample)
    )
    return PreviewView(
        count=int(reading.holds(columns["rule"]).sum()),
        of=len(columns["ordinal"]),
        sample=ids,
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


def _evaluate(
    cursor: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    rule: Rule,
    parts: list[Leaf],
    members: Mapping[str, BitMap],
    moment: Moment,
    org: str,
    sample: int,
) -> tuple[reading.Columns, list[UUID]]:
    compiler = Compiler(catalogue, moment)
    compiler.add_rule("rule", rule)
    for number, leaf in enumerate(parts):
        compiler.add_rule(f"leaf{number}", leaf)
    columns = reading.columns(cursor, compiler.query(org=org), members.__getitem__)
    first = np.sort(columns["ordinal"][reading.holds(columns["rule"])])[:sample].astype(np.uint32)
    return columns, list(reading.customer_ids(cursor, first).values())
