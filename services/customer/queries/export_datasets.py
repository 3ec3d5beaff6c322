"""The data sets that leave the service: no personal data in any of them.

Customers, holdings and events have the columns of CustomerState, HoldingState and RecordedEvent; `consents`
and `data` are JSON text. Facts of a merged customer are its survivor's, with the home beside it.
"""

from dataclasses import dataclass
from typing import LiteralString

import pyarrow as pa

from services.customer.queries.value_facts import EXPORTED

INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Dataset:
    """What PostgreSQL writes as CSV and how Arrow reads it; instants travel as microseconds.

    `rows` selects from customers `c` among others; `recorded` is when a row became known.
    """

    rows: LiteralString
    recorded: LiteralString
    order: LiteralString | None
    schema: pa.Schema

    @property
    def query(self) -> LiteralString:
        """With the parameters `org` (null: everywhere) and `since` (null: from the beginning)."""
        selected = (
            self.rows + _IN_ORG + f" AND (%(since)s::timestamptz IS NULL OR {self.recorded} >= %(since)s)"
        )
        return selected if self.order is None else f"{selected} ORDER BY {self.order}"


_IN_ORG: LiteralString = (
    " WHERE (%(org)s::text IS NULL OR c.org_path = %(org)s OR starts_with(c.org_path, %(org)s || '.'))"
)

_TEXT, _DAY, _MONEY = pa.string(), pa.date32(), pa.decimal128(18, 2)

DATASETS: dict[str, Dataset] = {
    "customers": Dataset(
        "SELECT id, ordinal, version, kind, status, org_path, primary_manager, backup_manager, gender,"
        " birth_date, occupation, industry, risk_level, risk_valid_until, customer_since, consents,"
        " merged_into FROM customer c",
        "c.updated_at",
        "c.ordinal",
        pa.schema(
            [
                ("customer_id", _TEXT),
                ("ordinal", pa.int64()),
                ("version", pa.int32()),
                ("kind", _TEXT),
                ("status", _TEXT),
                ("org", _TEXT),
                ("primary_manager", _TEXT),
                ("backup_manager", _TEXT),
                ("gender", _TEXT),
                ("birth_date", _DAY),
                ("occupation", _TEXT),
                ("industry", _TEXT),
                ("risk_level", _TEXT),
                ("risk_valid_until", _DAY),
                ("customer_since", _DAY),
                ("consents", _TEXT),
                ("merged_into", _TEXT),
            ]
        ),
    ),
    "holdings": Dataset(
        "SELECT coalesce(s.id, c.id), coalesce(s.ordinal, c.ordinal), d.account, h.product, p.category,"
        " d.balance, h.currency, d.as_of, h.opened_on, h.matures_on, coalesce(h.closed_on = d.as_of, false),"
        " CASE WHEN s.id IS NOT NULL THEN c.id END, CASE WHEN s.id IS NOT NULL THEN c.ordinal END"
        " FROM holding h"
        # Closed on the day it was closed: it was open before, and a balance told later opens it again.
        # An account whose balance nobody has told yet has no day: it is exported as the present knows it.
        " JOIN (SELECT customer_id, account, as_of, balance, coalesce(recorded_at, measured_at) AS told"
        "       FROM holding_day"
        "       UNION ALL SELECT customer_id, account, as_of, balance, measured_at FROM holding"
        "       WHERE measured_at < '1900-01-02') d"
        " USING (customer_id, account) JOIN customer c ON c.id = h.customer_id"
        " LEFT JOIN customer s ON s.id = c.merged_into JOIN product p ON p.code = h.product",
        "d.told",
        None,
        pa.schema(
            [
                ("customer_id", _TEXT),
                ("ordinal", pa.int64()),
                ("account", _TEXT),
                ("product", _TEXT),
                ("category", _TEXT),
                ("balance", _MONEY),
                ("currency", _TEXT),
                ("as_of", _DAY),
                ("opened_on", _DAY),
                ("matures_on", _DAY),
                ("closed", pa.bool_()),
                ("home_id", _TEXT),
                ("home_ordinal", pa.int64()),
            ]
        ),
    ),
    "events": Dataset(
        "SELECT e.seq, e.event_id, e.source, e.type, coalesce(s.id, c.id),"
        " coalesce(s.ordinal, c.ordinal), (extract(epoch FROM e.time) * 1000000)::bigint, e.data,"
        " CASE WHEN s.id IS NOT NULL THEN c.id END, CASE WHEN s.id IS NOT NULL THEN c.ordinal END"
        " FROM customer_event e JOIN customer c ON c.id = e.customer_id"
        " LEFT JOIN customer s ON s.id = c.merged_into",
        "e.recorded_at",
        "e.seq",
        pa.schema(
            [
                ("seq", pa.int64()),
                ("event_id", _TEXT),
                ("source", _TEXT),
                ("type", _TEXT),
                ("customer_id", _TEXT),
                ("ordinal", pa.int64()),
                ("time", INSTANT),
                ("data", _TEXT),
                ("home_id", _TEXT),
                ("home_ordinal", pa.int64()),
            ]
        ),
    ),
    "relations": Dataset(
        "SELECT r.id, coalesce(s.id, c.id), coalesce(ts.id, t.id), r.kind, r.valid_from, r.valid_to, r.share,"
        " r.strength, r.source, CASE WHEN s.id IS NOT NULL THEN c.id END,"
        " CASE WHEN ts.id IS NOT NULL THEN t.id END,"
        " r.version, r.kind IN ('associate', 'household'), coalesce(s.ordinal, c.ordinal),"
        " coalesce(ts.ordinal, t.ordinal), CASE WHEN s.id IS NOT NULL THEN c.ordinal END,"
        " CASE WHEN ts.id IS NOT NULL THEN t.ordinal END"
        " FROM relationship r JOIN customer c ON c.id = r.from_id JOIN customer t ON t.id = r.to_id"
        " LEFT JOIN customer s ON s.id = c.merged_into"
        " LEFT JOIN customer ts ON ts.id = t.merged_into",
        "r.updated_at",
        "r.id",
        pa.schema(
            [
                ("relationship_id", _TEXT),
                ("from_id", _TEXT),
                ("to_id", _TEXT),
                ("kind", _TEXT),
                ("valid_from", _DAY),
                ("valid_to", _DAY),
                ("share", pa.decimal128(7, 6)),
                ("strength", pa.decimal128(5, 4)),
                ("source", _TEXT),
                ("from_home_id", _TEXT),
                ("to_home_id", _TEXT),
                ("version", pa.int32()),
                ("symmetric", pa.bool_()),
                ("from_ordinal", pa.int64()),
                ("to_ordinal", pa.int64()),
                ("from_home_ordinal", pa.int64()),
                ("to_home_ordinal", pa.int64()),
            ]
        ),
    ),
    "values": Dataset(
        EXPORTED,
        "r.finished_at",
        "r.model, r.month, c.ordinal",
        pa.schema(
            [
                ("customer_id", _TEXT),
                ("ordinal", pa.int64()),
                ("model", _TEXT),
                ("month", _DAY),
                ("run_id", _TEXT),
                ("edition", pa.int64()),
                ("currency", _TEXT),
                ("products", pa.int32()),
                *((name, pa.decimal128(20, 2)) for name in ("contribution", "income", "net_income")),
                ("capital_years", pa.decimal128(24, 6)),
                ("raroc", pa.float64()),
                ("potential", pa.decimal128(20, 2)),
                ("home_id", _TEXT),
                ("home_ordinal", pa.int64()),
            ]
        ),
    ),
    "consents": Dataset(
        "SELECT"
        " coalesce(s.id, c.id), CASE WHEN s.id IS NOT NULL THEN c.id END,"
        " k.channel, k.purpose, k.granted, (extract(epoch FROM k.changed_at) * 1000000)::bigint,"
        " nullif(k.valid_until, '9999-12-31'), k.source, k.proof_kind, k.proof_hash,"
        " (extract(epoch FROM k.recorded_at) * 1000000)::bigint"
        " FROM consent_entry k JOIN customer c ON c.id = k.customer_id"
        " LEFT JOIN customer s ON s.id = c.merged_into",
        "k.recorded_at",
        "k.customer_id, k.channel, k.purpose, k.changed_at",
        pa.schema(
            [
                ("customer_id", _TEXT),
                ("home_id", _TEXT),
                ("channel", _TEXT),
                ("purpose", _TEXT),
                ("granted", pa.bool_()),
                ("changed_at", INSTANT),
                ("valid_until", _DAY),
                ("source", _TEXT),
                ("proof_kind", _TEXT),
                ("proof_hash", _TEXT),
                ("recorded_at", INSTANT),
            ]
        ),
    ),
    "ownership": Dataset(
        "SELECT o.seq,"
        " coalesce(s.id, c.id), CASE WHEN s.id IS NOT NULL THEN c.id END,"
        " o.before_org, o.before_primary, o.before_backup, o.after_org, o.after_primary,"
        " o.after_backup, o.cause, o.effective_on, (extract(epoch FROM o.changed_at) * 1000000)::bigint"
        " FROM ownership_change o JOIN customer c ON c.id = o.customer_id"
        " LEFT JOIN customer s ON s.id = c.merged_into",
        "o.changed_at",
        "o.seq",
        pa.schema(
            [
                ("seq", pa.int64()),
                ("customer_id", _TEXT),
                ("home_id", _TEXT),
                ("before_org", _TEXT),
                ("before_primary", _TEXT),
                ("before_backup", _TEXT),
                ("after_org", _TEXT),
                ("after_primary", _TEXT),
                ("after_backup", _TEXT),
                ("cause", _TEXT),
                ("effective_on", _DAY),
                ("changed_at", INSTANT),
            ]
        ),
    ),
    "merges": Dataset(
        "SELECT c.id, c.merged_into, (extract(epoch FROM m.changed_at) * 1000000)::bigint"
        " FROM (SELECT mm.customer_id, max(greatest(m.merged_at, m.undone_at)) AS changed_at"
        "       FROM merge_member mm JOIN merge m ON m.id = mm.merge_id GROUP BY mm.customer_id) m"
        " JOIN customer c ON c.id = m.customer_id",
        "m.changed_at",
        "c.ordinal",
        pa.schema([("customer_id", _TEXT), ("merged_into", _TEXT), ("changed_at", INSTANT)]),
    ),
    "erasures": Dataset(
        "SELECT c.id, c.ordinal FROM (SELECT * FROM customer WHERE status = 'erased') c",
        "c.updated_at",
        "c.ordinal",
        pa.schema([("customer_id", _TEXT), ("ordinal", pa.int64())]),
    ),
    "shares": Dataset(
        "SELECT coalesce(s.id, c.id), CASE WHEN s.id IS NOT NULL THEN c.id END,"
        " b.org_path, b.role, b.share, b.valid_from, b.valid_to"
        " FROM customer_branch b JOIN customer c ON c.id = b.customer_id"
        " LEFT JOIN customer s ON s.id = c.merged_into",
        # Only the day of a change is kept: all of that day counts as new until it is over.
        "((coalesce(b.valid_to, b.valid_from) + 1)::timestamp AT TIME ZONE 'Asia/Shanghai')",
        "b.customer_id, b.valid_from, b.org_path",
        pa.schema(
            [
                ("customer_id", _TEXT),
                ("home_id", _TEXT),
                ("org", _TEXT),
                ("role", _TEXT),
                ("share", pa.decimal128(7, 6)),
                ("valid_from", _DAY),
                ("valid_to", _DAY),
            ]
        ),
    ),
    "interactions": Dataset(
        "SELECT i.id,"
        " coalesce(s.id, c.id), CASE WHEN s.id IS NOT NULL THEN c.id END,"
        " i.source, (extract(epoch FROM i.at) * 1000000)::bigint, i.kind, i.direction,"
        " i.minutes, i.disposition, i.staff, (extract(epoch FROM i.updated_at) * 1000000)::bigint"
        " FROM interaction i JOIN customer c ON c.id = i.customer_id"
        " LEFT JOIN customer s ON s.id = c.merged_into",
        "i.updated_at",
        "i.id",
        pa.schema(
            [
                ("interaction_id", _TEXT),
                ("customer_id", _TEXT),
                ("home_id", _TEXT),
                ("source", _TEXT),
                ("at", INSTANT),
                ("kind", _TEXT),
                ("direction", _TEXT),
                ("minutes", pa.int32()),
                ("disposition", _TEXT),
                ("staff", _TEXT),
                ("updated_at", INSTANT),
            ]
        ),
    ),
}
