"""Reading a batch of CloudEvents: what is usable, what is refused and why. No I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple, TypeGuard

import orjson

from services.customer.domain.event_types import SOURCE, EventKind
from shared.errors import BadRequest, FieldError, Forbidden, TooLarge, UnsupportedMediaType

BATCH = "application/cloudevents-batch+json"
SINGLE = "application/cloudevents+json"
LINES = "application/x-ndjson"

MAX_EVENTS = 5_000
MAX_DATA_BYTES = 64 * 1024
MAX_DATA_DEPTH = 16
_MAX_TYPE = 100
FUTURE = timedelta(minutes=5)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SOURCE = re.compile(SOURCE, re.ASCII)
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,5}", re.ASCII)
_DATASCHEMA = re.compile(r"(?:^|/)event-types/([a-z0-9_.]{1,100})/versions/([1-9][0-9]{0,8})$", re.ASCII)
_TOKEN = re.compile(r"[^\x00-\x1f\x7f]{1,128}")


class Incoming(NamedTuple):
    """One usable event, ready to be stored. A tuple: a frozen dataclass takes four times as long to make."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of an event
    source: str
    event_id: str
    type: str
    source_id: str
    time: datetime
    data: dict[str, Any]
    public_json: bytes
    private_json: bytes | None
    content_hash: bytes
    schema_version: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """One event that was not taken; `conflict` when its id already stands for other content."""

    index: int
    event_id: str | None
    errors: tuple[FieldError, ...] = ()
    conflict: bool = False
    reason: str | None = None
    """Where the pointers do not tell it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A batch sorted out: `repeated` are exact copies of an earlier event of the same batch."""

    size: int
    usable: list[Incoming]
    repeated: list[Incoming]
    refused: list[Refused]


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line of NDJSON that is not JSON."""

    line: bytes


def decode(body: bytes, media_type: str) -> list[Any]:
    """The raw events of a request body. The whole request is refused when it cannot be taken apart."""
    if media_type == LINES:
        items = [read_line(line) for line in body.split(b"\n") if line.strip()]
    elif media_type in {BATCH, SINGLE}:
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not valid JSON: {error}") from error
        if media_type == BATCH and not isinstance(parsed, list):
            raise BadRequest("A batch is a JSON array of events")
        if media_type == SINGLE and not isinstance(parsed, dict):
            raise BadRequest("A single event is a JSON object")
        items = parsed if media_type == BATCH else [parsed]
    else:
        raise UnsupportedMediaType(f"Send {BATCH}, {SINGLE} or {LINES}")
    if not items:
        raise BadRequest("The batch has no events")
    if len(items) > MAX_EVENTS:
        raise TooLarge(f"The batch has {len(items)} events; at most {MAX_EVENTS} are taken at once")
    return items


def refuse_foreign_sources(items: Sequence[Any], allowed: str | None) -> None:
    """A system speaks for itself only: one event of another source refuses the request."""
    if allowed is None:
        return
    for index, item in enumerate(items):
        source = item.get("source") if isinstance(item, dict) else None
        if isinstance(source, str) and source != allowed:
            raise Forbidden(
                f"This key may only send events of source '{allowed}'",
                errors=[FieldError(f"/{index}/source", "belongs to another system")],
                slug="foreign-source",
            )


def refused_as_foreign(item: Any, allowed: str, index: int, pointer: str) -> Refused | None:
    """As `refuse_foreign_sources`, for one event among others that are taken."""
    source = item.get("source") if isinstance(item, dict) else None
    if not isinstance(source, str) or source == allowed:
        return None
    error = FieldError(f"{pointer}/source", f"this credential may only send events of source '{allowed}'")
    return Refused(index, _shown_id(item.get("id")), (error,))


def read(items: Sequence[Any], kinds: Mapping[str, EventKind], now: datetime, *, single: bool) -> Reading:
    """Check every event against the envelope's rules and its type's schema.

    `now` is the business time; later than five minutes after it is the future. Pointers start with the
    event's index unless `single`. `kinds` has types by name, and versions of them as `type@n`.
    """
    latest = now + FUTURE
    usable: dict[tuple[str, str], Incoming] = {}
    reading = Reading(len(items), [], [], [])
    for index, item in enumerate(items):
        event = _event(index, item, kinds, latest, "" if single else f"/{index}")
        if isinstance(event, Refused):
            reading.refused.append(event)
            continue
        first = usable.setdefault((event.source, event.event_id), event)
        if first is event:
            reading.usable.append(event)
        elif first.content_hash == event.content_hash:
            reading.repeated.append(event)
        else:
            reading.refused.append(Refused(index, event.event_id, conflict=True))
    return reading


def read_line(line: bytes) -> Any:
    """One event as it came; `UnreadableLine` when it is not JSON."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return UnreadableLine(line)


def _event(
    index: int, item: Any, kinds: Mapping[str, EventKind], latest: datetime, pointer: str
) -> Incoming | Refused:
    if not isinstance(item, dict):
        detail = "is not valid JSON" if isinstance(item, UnreadableLine) else "must be an object"
        return Refused(index, None, (FieldError(pointer or "", detail),))
    if item.get("data") is None:
        item = {**item, "data": {}}
    kind_name, time = item.get("type"), _time(item.get("time"))
    newest = kinds.get(kind_name) if isinstance(kind_name, str) else None
    kind = newest if "dataschema" not in item else _stated(item, newest, kinds)
    if (
        kind is None
        or not isinstance(time, datetime)
        or not EARLIEST <= time <= latest
        or not kind.accepts_event(item)
    ):
        errors = _errors(item, item["data"], (newest, kind), time, latest, pointer)
        return Refused(index, _shown_id(item.get("id")), tuple(errors))
    event_id, source, subject, data = item["id"], item["source"], item["subject"], item["data"]
    try:
        canonical = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        canonical = b"["  # nested deeper than it can be written
    unstorable = _unstorable(data, canonical)
    if unstorable:
        return Refused(index, _shown_id(event_id), (FieldError(f"{pointer}/data", unstorable),))
    digest = blake2b(f"{kind_name}\0{subject}\0{time.timestamp()}\0".encode(), digest_size=16)
    digest.update(canonical)
    public, private = _parted(kind, data, canonical)
    hashed = digest.digest()
    return Incoming(
        index, source, event_id, kind_name, subject, time, data, public, private, hashed, kind.version
    )


def schema_version_key(stated: object) -> str | None:
    """`type@n` when a `dataschema` names a version in this registry; other addresses are the sender's own."""
    match = _DATASCHEMA.search(stated) if isinstance(stated, str) else None
    return f"{match[1]}@{int(match[2])}" if match else None


def wanted_kinds(items: Sequence[Any]) -> set[str]:
    """The keys of `kinds` that reading `items` will ask for."""
    wanted = {item["type"] for item in items if isinstance(item, dict) and isinstance(item.get("type"), str)}
    stated = (item["dataschema"] for item in items if isinstance(item, dict) and "dataschema" in item)
    return wanted.union(key for value in stated if (key := schema_version_key(value)))


def _stated(
    item: dict[str, Any], newest: EventKind | None, kinds: Mapping[str, EventKind]
) -> EventKind | None:
    key = schema_version_key(item["dataschema"])
    if newest is None or key is None:
        return newest
    return kinds.get(key) if key.startswith(f"{item['type']}@") else None


def _parted(kind: EventKind, data: dict[str, Any], canonical: bytes) -> tuple[bytes, bytes | None]:
    """What may leave the service, and what stays."""
    public = kind.public(data)
    if public is data:
        return canonical, None
    private = {name: value for name, value in data.items() if name not in public}
    return orjson.dumps(public), orjson.dumps(private)


def is_token(value: object) -> TypeGuard[str]:
    """Fit for the id of an event or of a customer."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def is_source(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _SOURCE.fullmatch(value) is not None


def is_type(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _MAX_TYPE and _TYPE.fullmatch(value) is not None


def _shown_id(event_id: object) -> str | None:
    return event_id[:128] if isinstance(event_id, str) else None


def _time(value: object) -> datetime | str:
    """The instant, or what is wrong with it."""
    if value is None:
        return "is required"
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        return "not an RFC 3339 date-time"
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return "not an RFC 3339 date-time"


def _errors(
    item: dict[str, Any],
    data: object,
    kinds: tuple[EventKind | None, EventKind | None],
    time: datetime | str,
    latest: datetime,
    pointer: str,
) -> list[FieldError]:
    """Everything wrong with an event that failed the quick check, envelope first.

    `kinds`: the newest version of its type, and the one it asks to be read by.
    """
    found = [
        FieldError(f"{pointer}/{name}", detail)
        for name, detail in _envelope_errors(item, kinds, time, latest)
        if detail
    ]
    kind = kinds[1]
    if not isinstance(data, dict):
        found.append(FieldError(f"{pointer}/data", "must be an object"))
    elif kind is not None:
        found.extend(kind.errors(data, f"{pointer}/data"))
    return found


def _envelope_errors(
    item: dict[str, Any],
    kinds: tuple[EventKind | None, EventKind | None],
    time: datetime | str,
    latest: datetime,
) -> list[tuple[str, str | None]]:
    newest, kind = kinds
    content_type = item.get("datacontenttype", "application/json")
    return [
        ("specversion", None if item.get("specversion") == "1.0" else "must be '1.0'"),
        ("id", _token_error(item.get("id"))),
        ("source", _pattern_error(item.get("source"), _SOURCE)),
        (
            "type",
            _pattern_error(item.get("type"), _TYPE) or (None if newest else "is not a registered event type"),
        ),
        ("dataschema", "is no version of this event type" if newest and not kind else None),
        ("subject", _token_error(item.get("subject"))),
        ("time", _time_error(time, latest)),
        ("datacontenttype", None if content_type == "application/json" else "must be 'application/json'"),
        ("data_base64", "is not supported: send JSON in data" if "data_base64" in item else None),
    ]


def _token_error(value: object) -> str | None:
    if value is None:
        return "is required"
    return None if is_token(value) else "must be a text of 1 to 128 characters without control characters"


def _pattern_error(value: object, pattern: re.Pattern[str]) -> str | None:
    if value is None:
        return "is required"
    if isinstance(value, str) and pattern.fullmatch(value):
        return None
    return f"must match ^{pattern.pattern}$"


def _time_error(time: datetime | str, latest: datetime) -> str | None:
    if isinstance(time, str):
        return time
    if time > latest:
        return "is in the future"
    return "is before 1900" if time < EARLIEST else None


def _unstorable(data: dict[str, Any], data_json: bytes) -> str | None:
    if len(data_json) > MAX_DATA_BYTES:
        return f"is larger than {MAX_DATA_BYTES} bytes"
    if b"\\u0000" in data_json and b"\\u0000" in data_json.replace(b"\\\\", b""):
        return "contains a NUL character"
    if (b"[" in data_json or data_json.count(b"{") > 1) and _too_deep(data, MAX_DATA_DEPTH):
        return f"is nested deeper than {MAX_DATA_DEPTH} levels"
    return None


def _too_deep(value: object, left: int) -> bool:
    if isinstance(value, dict):
        return left == 0 or any(_too_deep(v, left - 1) for v in value.values())
    if isinstance(value, list):
        return left == 0 or any(_too_deep(v, left - 1) for v in value)
    return False
