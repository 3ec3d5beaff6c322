"""The synthetic bank's customers as the segmentation store sees them, with who they really are."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deploy.demo.bank.generate import generate
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.queries.profile import feature_matrix
from services.segmentation.store.store import Store

_TODAY = date(2026, 11, 20)
_MOMENT = Moment(datetime(2026, 11, 20, 12, tzinfo=UTC), ZoneInfo("Asia/Shanghai"))
FEATURES = ("aum", "product_count", "txn_count_90d", "max_txn_amount_90d", "tenure_months", "age")

_LOAD = """
CREATE TEMP TABLE known AS SELECT row_number() OVER ()::INTEGER AS number, * FROM customers;
INSERT INTO customer BY NAME SELECT number AS ordinal, uuid() AS customer_id, 1 AS version, kind,
  'active' AS status, 'hq' AS org, gender, birth_date, customer_since FROM known;
INSERT INTO holding_latest BY NAME SELECT number AS ordinal, number AS home, account, product, category,
  balance, holdings.currency, as_of, false AS closed FROM holdings
  JOIN known USING (source_id) JOIN (SELECT code, category FROM products) ON code = product
  QUALIFY row_number() OVER (PARTITION BY account ORDER BY as_of DESC) = 1;
INSERT INTO event BY NAME SELECT row_number() OVER () AS seq, number AS ordinal, number AS home, type,
  time AT TIME ZONE 'UTC' AS time, events.source, id AS event_id,
  TRY_CAST(data ->> '$.amount' AS DECIMAL(20, 2)) AS amount, data ->> '$.direction' AS direction, data::JSON AS data
  FROM events JOIN known ON source_id = subject;
"""


def archetypes(
    customers: int, seed: int, folder: Path
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.str_]]:
    """The demo's features of everybody, and the archetype of each."""
    bank = generate(customers, seed, _TODAY)
    store = Store(folder / "features.duckdb", memory="1GB")
    try:
        with store.write() as cursor:
            cursor.register("customers", bank.customers)
            cursor.register("products", bank.products)
            cursor.register("holdings", pa.Table.from_batches(bank.holdings(1)))
            cursor.register("events", pa.Table.from_batches(bank.events()))
            cursor.execute(_LOAD)
        with store.read() as cursor:
            ordinals, matrix = feature_matrix(cursor, FEATURES, _MOMENT)
    finally:
        store.close()
    order = np.argsort(ordinals)
    truth = np.array(bank.truth["archetype"].to_pylist())
    return {name: values[order] for name, values in matrix.items()}, truth
