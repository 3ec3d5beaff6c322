"""The registry of event types: rows in the database, compiled validators in the process."""

import time
from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.compatibility import narrowed
from services.customer.domain.event_schemas import BUILT_IN
from services.customer.domain.event_types import EventKind, schema_problem
from services.customer.models import EventType, EventTypeVersion
from services.customer.usecases.versions import next_version
from shared.contracts.base import ProblemItem
from shared.contracts.customer import EventTypeWrite
from shared.contracts.customer.intake import EventTypeCheck
from shared.db import SYSTEM, Database
from shared.errors import Conflict, FieldError, NotFound, Unprocessable

_FRESH_SECONDS = 5.0


class EventKinds:
    """Compiled event types of this process, read again when older than five seconds.

    Another replica's change of a schema is therefore seen within five seconds; a new type at once, because an
    unknown one asks for a fresh look. Versions (`type@n`) never change and stay.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, EventKind] = {}
        self._sources: dict[str, bytes] = {}
        self._read_at = 0.0

    async def current(self, session: AsyncSession, wanted: set[str]) -> Mapping[str, EventKind]:
        age = time.monotonic() - self._read_at
        if age > _FRESH_SECONDS or not wanted <= self._kinds.keys():
            await self._read(session)
            await self._read_versions(session, wanted - self._kinds.keys())
        return self._kinds

    def forget(self) -> None:
        self._read_at = 0.0

    async def _read(self, session: AsyncSession) -> None:
        rows = (await session.execute(select(EventType.type, EventType.data_schema, EventType.version))).all()
        for row in rows:
            source = orjson.dumps([row.version, row.data_schema])
            if self._sources.get(row.type) != source:
                self._kinds[row.type] = EventKind(row.data_schema, row.version)
                self._sources[row.type] = source
        self._read_at = time.monotonic()

    async def _read_versions(self, session: AsyncSession, wanted: set[str]) -> None:
        named = [(key, *key.split("@", 1)) for key in wanted if "@" in key]
        pairs = [(kind, int(number)) for _key, kind, number in named]
        if not pairs:
            return
        statement = select(EventTypeVersion).where(
            tuple_(EventTypeVersion.type, EventTypeVersion.version).in_(pairs)
        )
        for row in await session.scalars(statement):
            self._kinds[f"{row.type}@{row.version}"] = EventKind(row.data_schema, row.version)


async def register_built_in(database: Database) -> None:
    """Bring the registry's built-in types to what this version of the code defines."""
    rows = [
        {"type": key, "name_zh": zh, "name_en": en, "data_schema": schema, "built_in": True, "version": 1}
        for key, (zh, en, schema) in sorted(BUILT_IN.items())
    ]
    statement = insert(EventType).values(rows)
    async with database.transaction() as session:
        changed = await session.scalars(
            statement.on_conflict_do_update(
                index_elements=[EventType.type],
                set_={
                    "data_schema": statement.excluded.data_schema,
                    "built_in": True,
                    "version": EventType.version + 1,
                },
                where=EventType.data_schema.is_distinct_from(statement.excluded.data_schema),
            ).returning(EventType)
        )
        _remember(session, changed.all(), SYSTEM)


def _remember(session: AsyncSession, changed: Sequence[EventType], by: str) -> None:
    session.add_all(
        EventTypeVersion(type=row.type, version=row.version, data_schema=row.data_schema, registered_by=by)
        for row in changed
    )


async def put_event_type(
    session: AsyncSession, kinds: EventKinds, key: str, body: EventTypeWrite, expected: int | None, by: str
) -> EventType:
    """Register or replace a bank's own type; the built-in ones are the product's.

    A `backward` type takes no version that may refuse what the version before accepted.
    """
    problem = schema_problem(body.data_schema)
    if problem:
        raise Unprocessable("The schema cannot be registered", errors=[FieldError("/data_schema", problem)])
    row = await session.get(EventType, key, with_for_update=True)
    if row is not None and row.built_in:
        raise Conflict("Built-in types cannot be changed; register a type of your own")
    version = next_version(row.version if row else None, expected)
    mode = body.compatibility or (row.compatibility if row else "backward")
    if row is not None and mode == "backward":
        _refuse_narrower(row, body)
    row = row or EventType(type=key, built_in=False)
    row.name_zh, row.name_en = body.name.zh, body.name.en
    row.data_schema, row.version, row.compatibility = dict(body.data_schema), version, mode
    session.add(row)
    await session.flush()
    _remember(session, [row], by)
    await session.flush()
    kinds.forget()
    return row


async def check_event_type(session: AsyncSession, key: str, schema: Mapping[str, object]) -> EventTypeCheck:
    """What `put_event_type` would say of this schema, without changing anything."""
    row = await session.get(EventType, key)
    if row is None:
        raise NotFound("There is no such event type")
    problem = schema_problem(schema)
    if problem:
        invalid = ProblemItem(pointer="/data_schema", detail=problem)
        return EventTypeCheck(valid=False, compatible=False, version=row.version + 1, errors=[invalid])
    errors = narrowed(row.data_schema, schema, "/data_schema")
    return EventTypeCheck(
        valid=True,
        compatible=not errors,
        version=row.version + 1,
        errors=[ProblemItem(pointer=error.pointer, detail=error.detail) for error in errors],
    )


def _refuse_narrower(row: EventType, body: EventTypeWrite) -> None:
    errors = narrowed(row.data_schema, body.data_schema, "/data_schema")
    if errors:
        raise Unprocessable(
            f"Version {row.version} accepts events that this one may refuse; "
            'send `"compatibility": "none"` when that is meant',
            errors=errors,
            slug="schema-incompatible",
        )
