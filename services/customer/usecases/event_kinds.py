"""The registry of event types: rows in the database, compiled validators in the process."""

import time
from collections.abc import Mapping

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.event_schemas import BUILT_IN
from services.customer.domain.event_types import EventKind, schema_problem
from services.customer.models import EventType
from services.customer.usecases.versions import next_version
from shared.contracts.customer import EventTypeWrite
from shared.db import Database
from shared.errors import Conflict, FieldError, Unprocessable

_FRESH_SECONDS = 5.0


class EventKinds:
    """Compiled event types of this process, read again when older than five seconds.

    Another replica's change of a schema is therefore seen within five seconds; a new type at once, because an
    unknown one asks for a fresh look.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, EventKind] = {}
        self._sources: dict[str, bytes] = {}
        self._read_at = 0.0

    async def current(self, session: AsyncSession, wanted: set[str]) -> Mapping[str, EventKind]:
        age = time.monotonic() - self._read_at
        if age > _FRESH_SECONDS or not wanted <= self._kinds.keys():
            await self._read(session)
        return self._kinds

    def forget(self) -> None:
        self._read_at = 0.0

    async def _read(self, session: AsyncSession) -> None:
        rows = (await session.execute(select(EventType.type, EventType.data_schema))).all()
        for row in rows:
            source = orjson.dumps(row.data_schema)
            if self._sources.get(row.type) != source:
                self._kinds[row.type] = EventKind(row.data_schema)
                self._sources[row.type] = source
        self._read_at = time.monotonic()


async def register_built_in(database: Database) -> None:
    """Bring the registry's built-in types to what this version of the code defines."""
    rows = [
        {"type": key, "name_zh": zh, "name_en": en, "data_schema": schema, "built_in": True, "version": 1}
        for key, (zh, en, schema) in sorted(BUILT_IN.items())
    ]
    statement = insert(EventType).values(rows)
    async with database.transaction() as session:
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=[EventType.type],
                set_={
                    "data_schema": statement.excluded.data_schema,
                    "built_in": True,
                    "version": EventType.version + 1,
                },
                where=EventType.data_schema.is_distinct_from(statement.excluded.data_schema),
            )
        )


async def put_event_type(
    session: AsyncSession, kinds: EventKinds, key: str, body: EventTypeWrite, expected: int | None
) -> EventType:
    """Register or replace a bank's own type; the built-in ones are the product's."""
    problem = schema_problem(body.data_schema)
    if problem:
        raise Unprocessable("The schema cannot be registered", errors=[FieldError("/data_schema", problem)])
    row = await session.get(EventType, key, with_for_update=True)
    if row is not None and row.built_in:
        raise Conflict("Built-in types cannot be changed; register a type of your own")
    version = next_version(row.version if row else None, expected)
    row = row or EventType(type=key, built_in=False)
    row.name_zh, row.name_en = body.name.zh, body.name.en
    row.data_schema, row.version = dict(body.data_schema), version
    session.add(row)
    await session.flush()
    kinds.forget()
    return row
