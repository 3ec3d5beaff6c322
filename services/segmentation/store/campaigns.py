"""What campaigns tell: which segments they take customers from, and whom they contacted at what cost.

A contact keeps the id of the customer it was made with. Whose it is now follows when it is read, so that
merges change nothing here; it may come before its customer does.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date
from uuid import UUID

import duckdb
import pyarrow as pa

from services.segmentation.store.staging import with_staged
from shared import clock
from shared.contracts.events import CampaignCompleted, CampaignLaunched, ContactRecorded

TABLES = """
CREATE TABLE IF NOT EXISTS campaign (
  campaign_id UUID NOT NULL, key VARCHAR NOT NULL, zh VARCHAR NOT NULL, en VARCHAR NOT NULL,
  segments VARCHAR[] NOT NULL, orgs VARCHAR[] NOT NULL, ended BOOLEAN NOT NULL
);
CREATE TABLE IF NOT EXISTS campaign_contact (
  contact_id UUID NOT NULL, version INTEGER NOT NULL, customer_id UUID NOT NULL, time TIMESTAMP NOT NULL,
  cost DECIMAL(18, 2)
);
CREATE TABLE IF NOT EXISTS campaign_memory (whole BOOLEAN NOT NULL);
"""

_CONTACTS = pa.schema(
    [
        pa.field("contact_id", pa.string()),
        pa.field("version", pa.int32()),
        pa.field("customer_id", pa.string()),
        pa.field("time", pa.timestamp("us")),
        pa.field("cost", pa.decimal128(18, 2)),
    ]
)
_CAMPAIGNS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("campaign_id", "key", "zh", "en")),
        *(pa.field(name, pa.list_(pa.string())) for name in ("segments", "orgs")),
    ]
)

# A message may have been published twice. Of the erased nothing is taken.
_ADD_CONTACTS = """
INSERT INTO campaign_contact BY NAME
SELECT new.* FROM (
  SELECT * REPLACE (contact_id::UUID AS contact_id, customer_id::UUID AS customer_id) FROM staged
  QUALIFY row_number() OVER (PARTITION BY contact_id, version) = 1
) AS new
ANTI JOIN campaign_contact AS old ON old.contact_id = new.contact_id AND old.version = new.version
ANTI JOIN erased ON erased.customer_id = new.customer_id
"""
_ADD_CAMPAIGNS = """
INSERT INTO campaign BY NAME
SELECT new.*, false AS ended FROM (
  SELECT * REPLACE (campaign_id::UUID AS campaign_id) FROM staged
  QUALIFY row_number() OVER (PARTITION BY campaign_id) = 1
) AS new ANTI JOIN campaign AS old ON old.campaign_id = new.campaign_id
"""
_RUNNING = """
SELECT campaign_id, key, zh, en, segments FROM campaign
WHERE NOT ended AND list_has_any(segments, $keys::VARCHAR[]) AND len(list_filter(orgs, lambda org:
  org = $org OR starts_with(org, $org || '.') OR starts_with($org, org || '.'))) > 0
ORDER BY key
"""


@dataclass(frozen=True)
class RunningCampaign:
    campaign_id: UUID
    key: str
    zh: str
    en: str
    segments: Collection[str]


def add_contacts(cursor: duckdb.DuckDBPyConnection, recorded: Iterable[ContactRecorded]) -> None:
    """Attempts: what only closes a contact, or opens it again, took nobody's time and money."""
    rows = [
        {
            "contact_id": str(each.contact_id),
            "version": each.version,
            "customer_id": str(each.customer_id),
            "time": each.recorded_at.astimezone(UTC).replace(tzinfo=None),
            "cost": each.cost,
        }
        for each in recorded
        if each.minutes is not None or each.cost is not None
    ]
    with_staged(cursor, pa.Table.from_pylist(rows, _CONTACTS), _ADD_CONTACTS)


def add_campaigns(
    cursor: duckdb.DuckDBPyConnection,
    launched: Iterable[CampaignLaunched],
    completed: Iterable[CampaignCompleted],
) -> None:
    rows = [
        {
            "campaign_id": str(each.campaign_id),
            "key": each.campaign_key,
            "zh": each.name.zh,
            "en": each.name.en,
            "segments": list(each.segments),
            "orgs": list(each.orgs),
        }
        for each in launched
    ]
    with_staged(cursor, pa.Table.from_pylist(rows, _CAMPAIGNS), _ADD_CAMPAIGNS)
    over = [str(each.campaign_id) for each in completed]
    if over:
        cursor.execute(
            "UPDATE campaign SET ended = true WHERE campaign_id IN (SELECT unnest($1::UUID[]))", [over]
        )


def begin(cursor: duckdb.DuckDBPyConnection, *, whole: bool) -> None:
    """`whole`: the stream still has everything that campaigns ever told."""
    cursor.execute("DELETE FROM campaign_memory")
    cursor.execute("INSERT INTO campaign_memory VALUES (?)", [whole])


def contacts_since(cursor: duckdb.DuckDBPyConnection) -> date | None:
    """The business date of the first contact known here; nothing where none can be missing."""
    rows = cursor.execute(
        "SELECT min(time) FROM campaign_contact HAVING NOT (SELECT bool_and(whole) FROM campaign_memory)"
    ).fetchall()
    first = rows[0][0] if rows else None
    return first.replace(tzinfo=UTC).astimezone(clock.ZONE).date() if first is not None else None


def running_from(
    cursor: duckdb.DuckDBPyConnection, segments: Collection[str], org: str
) -> list[RunningCampaign]:
    """Campaigns that were launched and are not over, with one of these segments, in units that `org` is part
    of or that are part of it; by key.
    """
    rows = cursor.execute(_RUNNING, {"keys": sorted(segments), "org": org}).fetchall()
    return [RunningCampaign(*row) for row in rows]


def forget(cursor: duckdb.DuckDBPyConnection, customers: Collection[UUID]) -> None:
    cursor.execute(
        "DELETE FROM campaign_contact WHERE customer_id IN (SELECT unnest($1::UUID[]))",
        [[str(each) for each in customers]],
    )
