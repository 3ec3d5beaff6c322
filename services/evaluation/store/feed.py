"""From deliveries to rows: one DuckDB transaction per batch, with the position reached."""

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

import duckdb
import pyarrow as pa
from pydantic import JsonValue

from services.evaluation.store import families
from services.evaluation.store.batches import MOMENT, OWNED, Row, advance, of_kind, put, utc
from services.evaluation.store.open import Store
from services.evaluation.store.standing_feed import take_holdings
from shared.bus import Delivery
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.events import (
    ContactRecorded,
    ContactsAssigned,
    CustomerErased,
    CustomerEventsRecorded,
    CustomersMerged,
    CustomersUnmerged,
    HoldingsChanged,
)
from shared.contracts.metrics import EventField

_IDS = [(name, pa.uuid()) for name in ("campaign_id", "contact_id", "home")]
_EXPOSURE = pa.schema(
    [
        *_IDS,
        ("arm", pa.string()),
        ("propensity", pa.float64()),
        ("assigned_at", MOMENT),
        ("wave", pa.int32()),
        *((name, pa.string()) for name in ("segment", "branch", "manager", "primary_manager")),
        *((name, pa.string()) for name in ("offer", "channel", "script")),
    ]
)
_CONTACT = pa.schema(
    [
        *_IDS,
        ("version", pa.int32()),
        ("state", pa.string()),
        ("disposition", pa.string()),
        ("minutes", pa.float64()),
        ("cost", pa.decimal128(18, 2)),
        ("recorded_at", MOMENT),
    ]
)
EVENT_TEXTS: tuple[EventField, ...] = get_args(EventField)
"""Fields of an event that a metric may ask for, besides its amount."""
_EVENT = pa.schema(
    [
        ("seq", pa.int64()),
        ("home", pa.uuid()),
        ("type", pa.string()),
        ("time", MOMENT),
        ("amount", pa.float64()),
        *((name, pa.string()) for name in EVENT_TEXTS),
    ]
)

# A customer is exposed to a campaign once: the first assignment is the one that was randomised.
_INSERT_EXPOSURE = """
    INSERT INTO exposure BY NAME
    SELECT new.* EXCLUDE (contact_id, home),
        CASE WHEN gone.home IS NULL THEN new.contact_id END AS contact_id,
        CASE WHEN gone.home IS NULL THEN coalesce(alias.survivor, new.home) END AS customer_id,
        CASE WHEN gone.home IS NULL AND alias.survivor IS NOT NULL THEN new.home END AS home
    FROM batch AS new
    LEFT JOIN alias ON alias.home = new.home LEFT JOIN erased AS gone ON gone.home = new.home
    WHERE NOT EXISTS (
        FROM exposure AS old
        WHERE old.campaign_id = new.campaign_id AND coalesce(old.home, old.customer_id) = new.home
    )
    QUALIFY row_number() OVER (PARTITION BY campaign_id, new.home ORDER BY assigned_at) = 1
"""
_INSERT_CONTACT = f"""
    INSERT INTO contact BY NAME
    SELECT * FROM ({OWNED}) AS new
    WHERE NOT EXISTS (
        FROM contact AS old WHERE old.contact_id = new.contact_id AND old.version = new.version
    )
    QUALIFY row_number() OVER (PARTITION BY contact_id, version) = 1
"""  # noqa: S608 - a constant
# An event that came by an export may be told again. The bounds let the engine skip all blocks but the newest.
_INSERT_EVENT = f"""
    INSERT INTO event BY NAME
    SELECT * FROM ({OWNED}) AS new
    WHERE NOT EXISTS (
        FROM event AS old WHERE old.seq = new.seq
          AND old.seq BETWEEN (SELECT min(seq) FROM batch) AND (SELECT max(seq) FROM batch)
    )
    QUALIFY row_number() OVER (PARTITION BY seq) = 1
"""  # noqa: S608 - a constant
CONTACT_KINDS = (ContactsAssigned, ContactRecorded)
_KINDS = (
    *CONTACT_KINDS,
    CustomerEventsRecorded,
    HoldingsChanged,
    CustomersMerged,
    CustomersUnmerged,
    CustomerErased,
)


class StoreFeed:
    """Target of this service's feeds: idempotent by position, and by envelope id behind it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def watermark(self, stream: str) -> int:
        return self._store.watermark(stream)

    async def apply(self, stream: str, deliveries: Sequence[Delivery], last_seq: int) -> None:
        await self._store.write(lambda cursor: _apply(cursor, stream, deliveries, last_seq))


def _apply(
    cursor: duckdb.DuckDBPyConnection, stream: str, deliveries: Sequence[Delivery], last_seq: int
) -> None:
    def work(fresh: Sequence[Delivery]) -> None:
        # Who is whom first: whose the rows of this batch are then follows as if they had come later.
        families.regroup(cursor, _pointers(fresh))
        families.erase(cursor, [ref for gone in of_kind(fresh, CustomerErased) for ref in gone.customers])
        take_contacts(cursor, fresh)
        put(cursor, _INSERT_EVENT, _EVENT, _events(fresh))
        take_holdings(cursor, fresh)

    advance(cursor, stream, deliveries, last_seq, _KINDS, work)


def take_contacts(cursor: duckdb.DuckDBPyConnection, fresh: Sequence[Delivery]) -> None:
    """Exposures, and what came of them."""
    put(cursor, _INSERT_EXPOSURE, _EXPOSURE, _exposures(fresh), families.count_first)
    put(cursor, _INSERT_CONTACT, _CONTACT, _contacts(fresh))


def _pointers(deliveries: Iterable[Delivery]) -> list[families.Pointer]:
    return [
        pointer
        for delivery in deliveries
        if isinstance(delivery.data, CustomersMerged | CustomersUnmerged)
        for pointer in families.pointers_of(delivery.data)
    ]


def _exposures(deliveries: Iterable[Delivery]) -> Iterator[Row]:
    for assigned in of_kind(deliveries, ContactsAssigned):
        for contact in assigned.contacts:
            # What a journey adds was not drawn by lot, whoever's file it is under by then.
            if contact.step != FIRST_STEP:
                continue
            yield {
                "campaign_id": assigned.campaign_id.bytes,
                "contact_id": contact.contact_id.bytes,
                "home": contact.customer_id.bytes,
                "arm": contact.arm or "",
                "propensity": contact.propensity,
                "assigned_at": utc(assigned.assigned_at),
                "wave": assigned.wave,
                "segment": contact.segment,
                "branch": contact.branch,
                "manager": contact.manager,
                "primary_manager": contact.primary_manager,
                "offer": contact.offer,
                "channel": contact.channel,
                "script": contact.script,
            }


def _contacts(deliveries: Iterable[Delivery]) -> Iterator[Row]:
    for contact in of_kind(deliveries, ContactRecorded):
        yield {
            "campaign_id": contact.campaign_id.bytes,
            "contact_id": contact.contact_id.bytes,
            "home": contact.customer_id.bytes,
            "version": contact.version,
            "state": contact.state,
            "disposition": contact.disposition,
            "minutes": None if contact.minutes is None else float(contact.minutes),
            "cost": contact.cost,
            "recorded_at": utc(contact.recorded_at),
        }


def _events(deliveries: Iterable[Delivery]) -> Iterator[Row]:
    for batch in of_kind(deliveries, CustomerEventsRecorded):
        for event in batch.events:
            yield {
                "seq": event.seq,
                "home": (event.home_id or event.customer_id).bytes,
                "type": event.type,
                "time": utc(event.time),
                "amount": _number(event.data.get("amount")),
                **{name: _text(event.data.get(name)) for name in EVENT_TEXTS},
            }


def _number(value: JsonValue) -> float | None:
    """Amounts travel as decimal strings; anything else in that place is no amount."""
    try:
        return float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _text(value: JsonValue) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else None
