"""PostgreSQL: the engine, the one place that commits, COPY, and the rows every service keeps."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Text,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, SessionTransaction, mapped_column

from shared.arrays import packed
from shared.settings import Settings

EVERYWHERE = "*"
"""Organisation scope of the system's own work: consumers, jobs, head office."""

SYSTEM = "system"
"""Who changes something when nobody asked for it in person: consumers and schedules."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Base(DeclarativeBase):
    metadata = metadata
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as declared
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: JSONB,
        str: Text,
    }


class Outbox(Base):
    """Events committed with the rows they speak of, until the broker has them."""

    __tablename__ = "outbox"
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[UUID]
    subject: Mapped[str]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    sent_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_outbox_unsent", "seq", postgresql_where=text("sent_at IS NULL")),)


class Inbox(Base):
    """Events a consumer has already worked on: the second delivery changes nothing."""

    __tablename__ = "inbox"
    durable: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class StoredAnswer(Base):
    """The answer to a POST with an Idempotency-Key, kept in the transaction that made it."""

    __tablename__ = "stored_answer"
    principal: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)


class AuditEntry(Base):
    """One link of the audit chain: its hash covers the entry and the hash before it."""

    __tablename__ = "audit_log"
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    principal: Mapped[str]
    action: Mapped[str]
    object: Mapped[str] = mapped_column(index=True)
    org_path: Mapped[str]
    detail: Mapped[dict[str, Any]]
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class Job(Base):
    """Progress of one background job, as its caller sees it; procrastinate runs it."""

    __tablename__ = "job"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    task: Mapped[str]
    args: Mapped[dict[str, Any]]
    principal: Mapped[str]
    org_path: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    progress: Mapped[float] = mapped_column(server_default="0")
    step: Mapped[str | None]
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    result: Mapped[dict[str, Any] | None]
    problem: Mapped[dict[str, Any] | None]
    cancel_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class UnitOfWork:
    """One transaction, begun when first needed and ended once, unless it rests."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._session: AsyncSession | None = None

    async def session(self, scope: str, actor: str) -> AsyncSession:
        if self._session is None:
            self._session = self._database.new_session()
            _sign(self._session, scope, actor)
            await self._session.connection()
        return self._session

    @property
    def begun(self) -> AsyncSession | None:
        return self._session

    async def rest(self) -> None:
        """Ends the transaction and gives its connection back, for what takes long and needs neither. What was
        read stays; the session begins another transaction, of the same caller, when it is asked again.
        """
        await self.complete()

    async def complete(self) -> None:
        if self._session is not None:
            await self._session.commit()

    async def close(self) -> None:
        """Rolls back what was not completed and gives the connection back."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Database:
    def __init__(self, settings: Settings) -> None:
        self._engine = create_async_engine(
            settings.database,
            pool_size=settings.database_pool_size,
            max_overflow=settings.database_pool_size,
            pool_timeout=settings.database_pool_seconds,
            hide_parameters=True,  # an error message must not carry a customer's data
            connect_args={
                "connect_timeout": 5,
                "options": f"-c statement_timeout={settings.statement_timeout_ms} -c lock_timeout=10000"
                " -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
            },
        )
        self._url = settings.database

    @property
    def conninfo(self) -> str:
        """For libraries that speak psycopg themselves (procrastinate, LISTEN)."""
        return self._url.set(drivername="postgresql").render_as_string(hide_password=False)

    def new_session(self) -> AsyncSession:
        return AsyncSession(self._engine, expire_on_commit=False, autoflush=False)

    def unit_of_work(self) -> UnitOfWork:
        return UnitOfWork(self)

    @asynccontextmanager
    async def transaction(
        self, scope: str = EVERYWHERE, *, actor: str = SYSTEM, statement_timeout_ms: int | None = None
    ) -> AsyncIterator[AsyncSession]:
        """One transaction, committed when the block ends without an error; `actor` signs its changes."""
        unit = self.unit_of_work()
        try:
            session = await unit.session(scope, actor)
            if statement_timeout_ms is not None:
                await session.execute(
                    text("SELECT set_config('statement_timeout', :ms, true)"),
                    {"ms": str(statement_timeout_ms)},
                )
            yield session
            await unit.complete()
        finally:
            await unit.close()

    async def close(self) -> None:
        await self._engine.dispose()


def _sign(session: AsyncSession, scope: str, actor: str) -> None:
    """Row-level security shows its transactions the rows of `scope` and below; `actor` signs what they do."""
    names = "set_config('huanying.org_scope', :scope, true), set_config('huanying.actor', :actor, true)"

    def set_caller(_session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        if not transaction.nested:
            connection.execute(text(f"SELECT {names}"), {"scope": scope, "actor": actor})

    event.listen(session.sync_session, "after_begin", set_caller)


async def give_reason(session: AsyncSession, reason: str) -> None:
    """Why this transaction changes what it changes, as its history will say."""
    await session.execute(text("SELECT set_config('huanying.reason', :reason, true)"), {"reason": reason})


async def psycopg_of(session: AsyncSession) -> psycopg.AsyncConnection[Any]:
    """The driver's connection inside the session's transaction, for COPY and for `fetch`."""
    connection: AsyncConnection = await session.connection()
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if not isinstance(driver, psycopg.AsyncConnection):
        raise TypeError(f"not a psycopg connection: {type(driver)}")
    return driver


async def fetch(
    session: AsyncSession, statement: LiteralString, parameters: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Rows of `statement`, run by the driver inside the session's transaction (`%(name)s` parameters).

    For set-based work on whole columns: arrays in, rows out, one round trip; `unnest` of typed arrays
    measured 1.6 times faster than COPY into a temporary table for batches of 1,000. Pass arrays as
    `%(name)b`: psycopg writes an array as text element by element in Python, at fifty times the cost.
    """
    connection = await psycopg_of(session)
    try:
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(statement, packed(parameters))
            return await cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        # As SQLAlchemy would raise it, so that it is answered the same way; without the parameters.
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error
