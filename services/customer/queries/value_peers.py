"""Which customers are peers: the same expression when benchmarks are made and when one is looked up."""

from collections.abc import Sequence
from typing import Any, LiteralString

from shared.contracts.customer.value import PeerGroups

# `c` is the customer, `o` its unit, `a.aum` its month-average assets. Parameters: `peer_parameters`.
PEER_GROUP: LiteralString = """concat_ws('/',
    CASE WHEN 'kind' = ANY(%(by)b::text[]) THEN c.kind END,
    CASE WHEN 'org_level' = ANY(%(by)b::text[]) THEN o.level END,
    CASE WHEN 'aum_band' = ANY(%(by)b::text[]) THEN width_bucket(a.aum, %(bands)b::numeric[])::text END,
    CASE WHEN 'risk_level' = ANY(%(by)b::text[]) THEN coalesce(c.risk_level, '-') END,
    CASE WHEN 'industry' = ANY(%(by)b::text[]) THEN coalesce(c.industry, '-') END,
    CASE WHEN 'occupation' = ANY(%(by)b::text[]) THEN coalesce(c.occupation, '-') END,
    CASE WHEN 'gender' = ANY(%(by)b::text[]) THEN coalesce(c.gender, '-') END)"""


def peer_parameters(peers: PeerGroups, debts: Sequence[str]) -> dict[str, Any]:
    """`debts` are the products on the bank's asset side: they are no assets of the customer's."""
    return {"by": list(peers.by), "bands": list(peers.aum_bands), "debts": list(debts)}
