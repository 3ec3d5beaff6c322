"""What is kept of an event that was refused. No I/O."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import orjson

from services.customer.domain.intake import Refused, UnreadableLine, is_source, is_token, is_type, read_line
from shared.errors import FieldError

MAX_KEPT_BYTES = 128 * 1024
"""Larger events are counted with their reasons, and not kept."""

KEPT = timedelta(days=90)
"""Then a refused event is deleted, whatever became of it."""
_MAX_TEXT = 500

_BY_FIELD = {
    "specversion": "envelope",
    "id": "envelope",
    "datacontenttype": "envelope",
    "data_base64": "envelope",
    "source": "source",
    "type": "type",
    "dataschema": "dataschema",
    "subject": "subject",
    "time": "time",
    "data": "schema",
}


class Claim(NamedTuple):
    """What an event says it is; null where that is missing or malformed."""

    source: str | None
    event_id: str | None
    type: str | None
    subject: str | None


def claim_of(item: Any) -> Claim:
    if not isinstance(item, dict):
        return Claim(None, None, None, None)
    source, event_id, kind, subject = (item.get(name) for name in ("source", "id", "type", "subject"))
    return Claim(
        source if is_source(source) else None,
        event_id if is_token(event_id) else None,
        kind if is_type(kind) else None,
        subject if is_token(subject) else None,
    )


def raw_of(item: Any) -> bytes | None:
    """The event as text; null when it is nested deeper than it can be written."""
    if isinstance(item, UnreadableLine):
        return item.line
    try:
        return orjson.dumps(item)
    except orjson.JSONEncodeError:
        return None


def item_of(raw: bytes) -> Any:
    """The opposite of `raw_of`."""
    return read_line(raw)


def reason_of(refused: Refused) -> str:
    """Of several, the first: errors come envelope first."""
    if refused.reason is not None:
        return refused.reason
    field = refused.errors[0].pointer.partition("/")[2].partition("/")[0] if refused.errors else ""
    return _BY_FIELD.get(field, "unreadable")


def within_event(refused: Refused, prefix: str) -> Refused:
    """With pointers that begin at the event instead of its batch."""
    errors = tuple(FieldError(e.pointer.removeprefix(prefix), e.detail) for e in refused.errors)
    return Refused(refused.index, refused.event_id, errors, refused.conflict, refused.reason)


def as_stored(errors: Sequence[FieldError]) -> list[dict[str, str]]:
    """Property names are the sender's: NUL does not fit into JSON in PostgreSQL."""
    return [{"pointer": _storable(e.pointer), "detail": _storable(e.detail)} for e in errors]


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd")[:_MAX_TEXT]
