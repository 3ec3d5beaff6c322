"""Tables of the feature store.

A customer is its ordinal everywhere. Times are UTC without zone. Money is exact decimals, so
that sums do not depend on the order in which rows are read.

A fact has a `home`, the customer it was recorded for, and an `ordinal`, whose it is now: the
survivor's while the home is merged. Merging rewrites `ordinal`, so that evaluation needs no join.
"""

from collections.abc import Callable

import duckdb
import pyarrow as pa

VERSION = 3
FACTS = (
    "customer",
    "holding",
    "holding_latest",
    "event",
    "relation",
    "value",
    "value_withdrawn",
    "alias",
    "regrouped",
    "erased",
    "touch",
    "touch_from",
    "watermark",
)
Loader = Callable[[duckdb.DuckDBPyConnection, pa.RecordBatchReader], None]

TABLES = """
CREATE TABLE IF NOT EXISTS customer (
  ordinal INTEGER NOT NULL, customer_id UUID NOT NULL, version BIGINT NOT NULL, kind VARCHAR, status VARCHAR,
  org VARCHAR, primary_manager VARCHAR, backup_manager VARCHAR, gender VARCHAR, birth_date DATE,
  occupation VARCHAR, industry VARCHAR, risk_level VARCHAR, risk_valid_until DATE, customer_since DATE,
  consent_call BOOLEAN, consent_sms BOOLEAN, consent_email BOOLEAN, consent_visit BOOLEAN,
  consent_app BOOLEAN, merged_into INTEGER
);
CREATE TABLE IF NOT EXISTS holding (
  home INTEGER NOT NULL, ordinal INTEGER NOT NULL, account VARCHAR NOT NULL, product VARCHAR NOT NULL,
  category VARCHAR NOT NULL,
  balance DECIMAL(20, 2) NOT NULL, currency VARCHAR, as_of DATE NOT NULL, opened_on DATE, matures_on DATE,
  closed BOOLEAN NOT NULL
);
CREATE TABLE IF NOT EXISTS holding_latest AS FROM holding LIMIT 0;
CREATE TABLE IF NOT EXISTS event (
  seq BIGINT NOT NULL, home INTEGER NOT NULL, ordinal INTEGER NOT NULL, type VARCHAR NOT NULL,
  time TIMESTAMP NOT NULL,
  source VARCHAR NOT NULL, event_id VARCHAR NOT NULL, amount DECIMAL(20, 2), direction VARCHAR,
  channel VARCHAR, product VARCHAR, data JSON
);
CREATE TABLE IF NOT EXISTS relation (
  id UUID NOT NULL, version BIGINT NOT NULL, home_from INTEGER NOT NULL, ordinal_from INTEGER NOT NULL,
  home_to INTEGER NOT NULL, ordinal_to INTEGER NOT NULL, type VARCHAR NOT NULL, mutual BOOLEAN NOT NULL,
  valid_from DATE, valid_until DATE
);
CREATE TABLE IF NOT EXISTS value (
  home INTEGER NOT NULL, ordinal INTEGER NOT NULL, model VARCHAR NOT NULL, month DATE NOT NULL,
  edition BIGINT NOT NULL, contribution DECIMAL(20, 2) NOT NULL, income DECIMAL(20, 2) NOT NULL,
  net_income DECIMAL(20, 2) NOT NULL, capital_years DECIMAL(24, 6) NOT NULL, raroc DOUBLE,
  potential DECIMAL(20, 2)
);
CREATE TABLE IF NOT EXISTS value_withdrawn (
  home INTEGER NOT NULL, model VARCHAR NOT NULL, month DATE NOT NULL, edition BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS alias (home INTEGER NOT NULL, survivor INTEGER, changed_at TIMESTAMP NOT NULL);
CREATE TABLE IF NOT EXISTS regrouped (ordinal INTEGER NOT NULL, applied UBIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS erased (
  ordinal INTEGER NOT NULL, customer_id UUID NOT NULL, rows BIGINT NOT NULL, applied UBIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS touch (
  applied UBIGINT NOT NULL, own BLOB NOT NULL, facts BLOB NOT NULL, earliest TIMESTAMP, latest TIMESTAMP
);
CREATE TABLE IF NOT EXISTS touch_from (applied UBIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS watermark (stream VARCHAR NOT NULL, applied UBIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS store_version (version INTEGER NOT NULL);
"""

# A relation holds from `valid_from` (null: nobody knows since when) up to the day before `valid_until`; both
# ends may be one customer after a merge; of a `mutual` one the direction says nothing. A month's value is
# that of the newest edition told; `value_withdrawn` remembers that an edition had nothing any more to say
# of a customer, for older messages that come late.

# `touch` has by stream position whom facts were about, as roaring bitmaps, and the times of their events;
# it is complete behind `touch_from`.

# `alias` keeps who was merged into whom and since when; a merge taken back leaves a row without survivor, so
# that an older message that comes late changes nothing. `regrouped` has who was touched by a merge, with the
# stream position at which it was applied. Who is `erased` never comes back, whatever is told again.

CUSTOMERS = pa.schema(
    [
        pa.field("ordinal", pa.int32()),
        pa.field("customer_id", pa.string()),
        pa.field("version", pa.int64()),
        *(
            pa.field(name, pa.string())
            for name in ("kind", "status", "org", "primary_manager", "backup_manager", "gender")
        ),
        pa.field("birth_date", pa.date32()),
        pa.field("occupation", pa.string()),
        pa.field("industry", pa.string()),
        pa.field("risk_level", pa.string()),
        pa.field("risk_valid_until", pa.date32()),
        pa.field("customer_since", pa.date32()),
        *(
            pa.field(name, pa.bool_())
            for name in ("consent_call", "consent_sms", "consent_email", "consent_visit", "consent_app")
        ),
    ]
)

HOLDINGS = pa.schema(
    [
        pa.field("home", pa.int32()),
        *(pa.field(name, pa.string()) for name in ("account", "product", "category")),
        pa.field("balance", pa.decimal128(20, 2)),
        pa.field("currency", pa.string()),
        pa.field("as_of", pa.date32()),
        pa.field("opened_on", pa.date32()),
        pa.field("matures_on", pa.date32()),
        pa.field("closed", pa.bool_()),
    ]
)

EVENTS = pa.schema(
    [
        pa.field("seq", pa.int64()),
        pa.field("home", pa.int32()),
        pa.field("type", pa.string()),
        pa.field("time", pa.timestamp("us", "UTC")),
        pa.field("source", pa.string()),
        pa.field("event_id", pa.string()),
        pa.field("data", pa.string()),
    ]
)

RELATIONS = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("version", pa.int64()),
        pa.field("home_from", pa.int32()),
        pa.field("home_to", pa.int32()),
        pa.field("type", pa.string()),
        pa.field("mutual", pa.bool_()),
        pa.field("valid_from", pa.date32()),
        pa.field("valid_until", pa.date32()),
    ]
)

VALUES = pa.schema(
    [
        pa.field("home", pa.int32()),
        pa.field("model", pa.string()),
        pa.field("month", pa.date32()),
        pa.field("edition", pa.int64()),
        pa.field("products", pa.int32()),
        *(pa.field(name, pa.decimal128(20, 2)) for name in ("contribution", "income", "net_income")),
        pa.field("capital_years", pa.decimal128(24, 6)),
        pa.field("raroc", pa.float64()),
        pa.field("potential", pa.decimal128(20, 2)),
    ]
)
