"""What customers hold and which tier they are in, by time."""

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from services.evaluation.store.batches import MOMENT, OWNED, Row, of_kind, put, utc
from services.evaluation.store.own_feed import OwnFeed
from shared.bus import Delivery
from shared.contracts.events import HoldingsChanged
from shared.contracts.events.tier import TierChanged

_HOLDING = pa.schema(
    [
        ("home", pa.uuid()),
        *((name, pa.string()) for name in ("account", "product", "category", "currency")),
        ("as_of", pa.date32()),
        ("balance", pa.decimal128(20, 2)),
        ("closed", pa.bool_()),
        ("position", pa.int64()),
    ]
)
_TIER = pa.schema(
    [
        ("home", pa.uuid()),
        *((name, pa.string()) for name in ("scheme", "kind", "tier")),
        ("effective_at", MOMENT),
        ("position", pa.int64()),
    ]
)
# The last word on an account's day counts. The bounds let the engine skip the days nobody spoke of.
_FORGET_HOLDINGS = """
    DELETE FROM holding
    WHERE as_of BETWEEN (SELECT min(as_of) FROM batch) AND (SELECT max(as_of) FROM batch)
      AND EXISTS (
        FROM batch WHERE batch.home = coalesce(holding.home, holding.customer_id)
          AND batch.account = holding.account AND batch.as_of = holding.as_of
      )
"""
_INSERT_HOLDINGS = f"""
    INSERT INTO holding BY NAME
    SELECT * EXCLUDE (position) FROM ({OWNED}) AS new
    QUALIFY row_number() OVER (
        PARTITION BY coalesce(new.home, new.customer_id), account, as_of ORDER BY position DESC
    ) = 1
"""  # noqa: S608 - a constant
_INSERT_TIERS = """
    MERGE INTO tier USING (
        SELECT * EXCLUDE (position) FROM batch ANTI JOIN erased ON erased.home = batch.home
        QUALIFY row_number() OVER (PARTITION BY home, scheme, effective_at ORDER BY position DESC) = 1
    ) AS new
    ON tier.home = new.home AND tier.scheme = new.scheme AND tier.effective_at = new.effective_at
    WHEN MATCHED THEN UPDATE BY NAME
    WHEN NOT MATCHED THEN INSERT BY NAME
"""


def take_holdings(cursor: duckdb.DuckDBPyConnection, fresh: Sequence[Delivery]) -> None:
    batch = pa.Table.from_pylist(list(_holdings(fresh)), _HOLDING)
    if batch.num_rows:
        cursor.register("batch", batch)
        cursor.execute(_FORGET_HOLDINGS)
        cursor.execute(_INSERT_HOLDINGS)
        cursor.unregister("batch")


class TierFeed(OwnFeed):
    NAME = "tiers"
    KINDS = (TierChanged,)

    @staticmethod
    def take(cursor: duckdb.DuckDBPyConnection, fresh: Sequence[Delivery]) -> None:
        put(cursor, _INSERT_TIERS, _TIER, _tiers(fresh))


def _holdings(deliveries: Sequence[Delivery]) -> Iterator[Row]:
    states = (state for changed in of_kind(deliveries, HoldingsChanged) for state in changed.holdings)
    for position, state in enumerate(states):
        yield {
            "home": (state.home_id or state.customer_id).bytes,
            "account": state.account,
            "product": state.product,
            "category": state.category,
            "currency": state.currency,
            "as_of": state.as_of,
            "balance": state.balance,
            "closed": state.closed,
            "position": position,
        }


def _tiers(deliveries: Sequence[Delivery]) -> Iterator[Row]:
    for position, changed in enumerate(of_kind(deliveries, TierChanged)):
        for customer in changed.customers:
            yield {
                "home": customer.bytes,
                "scheme": changed.scheme_key,
                "kind": changed.kind,
                "tier": changed.to_tier,
                "effective_at": utc(changed.effective_at),
                "position": position,
            }
