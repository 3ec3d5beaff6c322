"""One chunk of an events file: each row becomes a CloudEvent and goes the way pushed events go."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.event_types import EventKind
from services.customer.domain.intake import Reading, Refused, read
from services.customer.domain.quarantine import within_event
from services.customer.domain.vault import Vault
from services.customer.models import EventType
from services.customer.usecases.event_kinds import EventKinds
from services.customer.usecases.import_datasets import PROPERTY
from services.customer.usecases.import_reading import Chunk, ChunkResult, Rejection
from services.customer.usecases.intake import settle
from services.customer.usecases.quarantine import RefusedItem, Sender, keep
from services.customer.usecases.recording import Outcome
from shared import clock

_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_OF_INTERACTIONS = ("kind", "direction", "by", "minutes", "disposition", "note")
_OWN_NAMES = {"time": "at", "subject": "source_id"}
_NO_TEXT = frozenset({"integer", "number", "array", "object"})

Form = Callable[[str], Any]


class _Ahead(NamedTuple):
    """What a thread made of a chunk before its turn came."""

    items: list[dict[str, Any]]
    reading: Reading


@dataclass(slots=True)
class EventRows:
    """Takes the rows of one events file.

    Rows that name no customer go to quarantine: somebody may know whose they are. The others that cannot be
    taken are the import's rejected rows.
    """

    vault: Vault
    registry: EventKinds
    sender: Sender
    _kinds: Mapping[str, EventKind] = field(default_factory=dict)
    _forms: dict[str, dict[str, Form]] = field(default_factory=dict)
    _ahead: dict[int, _Ahead] = field(default_factory=dict)

    async def begin(self, session: AsyncSession) -> None:
        """The event types as they are now."""
        self._kinds = dict(await self.registry.current(session, set()))
        rows = (await session.execute(select(EventType.type, EventType.data_schema))).all()
        self._forms = {row.type: _forms(row.data_schema) for row in rows}

    def prepare(self, chunk: Chunk) -> Chunk:
        items = list(_items(chunk, self._forms))
        self._ahead[chunk.last] = _Ahead(items, read(items, self._kinds, clock.now(), single=False))
        return chunk

    async def take(self, session: AsyncSession, chunk: Chunk) -> ChunkResult:
        """Record, park, quarantine and reject; the same events again change nothing."""
        await self.begin(session)  # what is registered meanwhile holds from the next chunk on
        items, reading = self._ahead.pop(chunk.last)
        outcome = await settle(session, self.vault, reading, single=False)
        nobodys = [one for one in reading.refused if items[one.index].get("subject") is None]
        refused = [RefusedItem(items[one.index], within_event(one, f"/{one.index}")) for one in nobodys]
        await keep(session, self.vault, self.sender, refused)
        aside = {one.index for one in nobodys}
        rejected = [one for one in reading.refused if one.index not in aside]
        return ChunkResult(
            rejected=[
                *chunk.rejected,
                *_rejections(chunk.rows, rejected),
                *_conflicts(chunk.rows, outcome),
            ],
            created=len(outcome.recorded),
            unchanged=len(outcome.duplicate) + len(reading.repeated),
            parked=len(outcome.parked),
            quarantined=len(nobodys),
        )


@dataclass(slots=True)
class InteractionRows(EventRows):
    """Takes the rows of one interactions file: each is told as the event `interaction.recorded`."""

    def prepare(self, chunk: Chunk) -> Chunk:
        told: dict[str, Sequence[str | None]] = {
            "id": chunk.columns["id"],
            "source": chunk.columns["source"],
            "type": ["interaction.recorded"] * len(chunk.rows),
            "time": chunk.columns["at"],
            "subject": chunk.columns["source_id"],
            "data": [None] * len(chunk.rows),
        }
        told |= {f"{PROPERTY}{name}": chunk.columns[name] for name in _OF_INTERACTIONS}
        # By its class: with slots, super() here would still mean the class as it was before them.
        return EventRows.prepare(self, replace(chunk, columns=told))

    async def take(self, session: AsyncSession, chunk: Chunk) -> ChunkResult:
        result = await EventRows.take(self, session, chunk)
        return replace(
            result, rejected=[replace(one, column=_own_name(one.column)) for one in result.rejected]
        )


def _own_name(column: str | None) -> str | None:
    """The file's column an event's field was made of."""
    return _OWN_NAMES.get(column, column.removeprefix(PROPERTY)) if column is not None else None


def _items(chunk: Chunk, forms: Mapping[str, Mapping[str, Form]]) -> Iterator[dict[str, Any]]:
    columns = chunk.columns
    named = [(name.removeprefix(PROPERTY), name) for name in columns if name.startswith(PROPERTY)]
    envelopes = zip(*(columns[n] for n in ("id", "source", "type", "time", "subject", "data")), strict=True)
    properties = zip(*(columns[name] for _property, name in named), strict=True) if named else None
    names = [name for name, _column in named]
    for event_id, source, kind, time, subject, data in envelopes:
        stated = {} if properties is None else _stated(names, next(properties), forms.get(kind or "", {}))
        item = {
            "specversion": "1.0",
            "id": event_id,
            "source": source,
            "type": kind,
            "time": time,
            "data": stated if data is None else _merged(data, stated),
        }
        if subject is not None:
            item["subject"] = subject
        yield item


def _stated(names: Sequence[str], values: Sequence[str | None], forms: Mapping[str, Form]) -> dict[str, Any]:
    pairs = zip(names, values, strict=True)
    if not forms:
        return {name: value for name, value in pairs if value is not None}
    return {
        name: forms[name](value) if name in forms else value for name, value in pairs if value is not None
    }


def _merged(data: str, stated: dict[str, Any]) -> Any:
    """Columns outweigh what the JSON says; what is no JSON object stays text, and its schema refuses it."""
    try:
        read_data = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data
    return {**read_data, **stated} if isinstance(read_data, dict) else data


def _forms(schema: Mapping[str, Any]) -> dict[str, Form]:
    """How the text of a column becomes a property that is declared as something else than text."""
    forms: dict[str, Form] = {}
    for name, rule in schema.get("properties", {}).items():
        kind = rule.get("type") if isinstance(rule, Mapping) else None
        if kind == "boolean":
            forms[name] = lambda value: _TRUTH.get(value.lower(), value)
        elif isinstance(kind, str) and kind in _NO_TEXT:
            forms[name] = _json
    return forms


def _json(value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _rejections(rows: Sequence[int], refused: Sequence[Refused]) -> Iterator[Rejection]:
    for one in refused:
        if one.conflict:
            yield Rejection(rows[one.index], "id", "stands for another event of this file")
        for error in one.errors:
            # "/17/data/amount" is the column data.amount of the chunk's row 17.
            column = error.pointer.removeprefix(f"/{one.index}").strip("/").replace("/", ".")
            yield Rejection(rows[one.index], column or None, error.detail)


def _conflicts(rows: Sequence[int], outcome: Outcome) -> Iterator[Rejection]:
    for event in outcome.conflict:
        yield Rejection(rows[event.index], "id", "was recorded before with other content")
    for event in outcome.outside:
        yield Rejection(rows[event.index], "subject", "belongs to a customer of another organisation")
    for event in outcome.forgotten:
        yield Rejection(
            rows[event.index], "subject", "belongs to a person who asked not to be collected again"
        )
