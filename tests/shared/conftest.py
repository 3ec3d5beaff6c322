"""A small service of our own, so that the plumbing is tested without a business around it."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from fastapi import Response
from nats.js.errors import NotFoundError
from pydantic import Field
from sqlalchemy import BigInteger, Identity, create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from deploy.embedded.nats import NatsServer
from shared import clock, db
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.base import JobView, Name, OrgPath, Page, Schema
from shared.contracts.events import CampaignPaused, SegmentPublished
from shared.ddl import create_plumbing, enable_org_rls
from shared.errors import NotFound
from shared.ids import new_id
from shared.jobs import JobRun, defer, location_of
from shared.outbox import emit
from shared.pagination import PageParams, paginate
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.topology import webhooks_of
from shared.web import (
    IfMatch,
    Router,
    Session,
    allow,
    allow_at_head_office,
    check_version,
    create_app,
    set_etag,
)
from shared.webhooks.ddl import protect_webhooks
from shared.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookMessage
from tests.shared.receiver import Receiver, receiving
from tests.shared.webhook_world import create, sql
from tests.support import Running, Servers, eventually, started


class Note(db.Base):
    __tablename__ = "probe_note"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    org_path: Mapped[str]
    title: Mapped[str] = mapped_column(unique=True)
    version: Mapped[int] = mapped_column(server_default="1")


class NoteIn(Schema):
    org: OrgPath
    title: Name
    weight: Annotated[int, Field(ge=0)] = 0


class NoteOut(Schema):
    id: int
    org: OrgPath
    title: Name
    version: int


router = Router(tags=["notes"])
Writer = Annotated[Principal, allow(Role.strategist)]
Reader = Annotated[Principal, allow(Role.strategist, Role.manager)]
Keeper = Annotated[Principal, allow_at_head_office(Role.strategist)]


def _out(note: Note) -> NoteOut:
    return NoteOut(id=note.id, org=note.org_path, title=note.title, version=note.version)


@router.post("/notes", status_code=201)
async def create_note(session: Session, principal: Writer, body: NoteIn) -> NoteOut:
    note = Note(org_path=body.org, title=body.title)
    session.add(note)
    await session.flush()
    await session.refresh(note)
    await emit(session, CampaignPaused(campaign_id=new_id(), at=clock.now()))
    audit(session, principal, "create", f"note/{note.id}")
    if body.title == "boom":
        raise RuntimeError("boom with 13800000000")
    return _out(note)


@router.get("/notes")
async def list_notes(session: Session, principal: Reader, page: PageParams) -> Page[NoteOut]:
    return await paginate(session, select(Note), [Note.title, Note.id], page, lambda row: _out(row[0]))


@router.patch("/notes/{note_id}")
async def rename_note(
    session: Session, principal: Writer, note_id: int, body: NoteIn, expected: IfMatch, response: Response
) -> NoteOut:
    note = await session.get(Note, note_id, with_for_update=True)
    if note is None:
        raise NotFound("There is no such note.")
    check_version(note.version, expected)
    note.title, note.version = body.title, note.version + 1
    await session.flush()
    set_etag(response, note.version)
    return _out(note)


@router.post("/notes:rule")
async def rule_notes(session: Session, principal: Keeper, body: NoteIn) -> NoteIn:
    return body


@router.post("/notes:count", status_code=202)
async def count_notes(session: Session, principal: Writer, response: Response, body: NoteIn) -> JobView:
    job = await defer(session, principal, "count", {"title": body.title})
    response.headers["Location"] = location_of(job)
    return job


async def count(job: JobRun) -> dict[str, Any]:
    for step in range(1, 4):
        await job.progress(step / 4, f"step {step}", {"done": step})
    if job.args["title"] == "fail":
        raise NotFound("nothing to count")
    if job.args["title"] == "crash":
        raise RuntimeError("crash")
    if job.args["title"] in interruptions:
        interruptions.remove(job.args["title"])
        await lose_connection(job.runtime)
    if job.args["title"] == "heavy":
        heavy.append(job.id)
        async with job.runtime.db.transaction(statement_timeout_ms=50) as session:
            await session.execute(text("SELECT pg_sleep(60)"))
    if job.args["title"] == "slow":
        for _ in range(200):
            await job.progress(0.9, "waiting")
    async with job.runtime.db.transaction() as session:
        return {"notes": len((await session.execute(select(Note))).all())}


heavy: list[UUID] = []
"""Jobs whose statement takes longer than it may, once for each time they began."""
interruptions: list[str] = []
"""Titles of jobs that lose their database connection, once for each entry."""


async def lose_connection(runtime: Runtime) -> None:
    async with runtime.db.transaction() as session:
        await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


handled: list[UUID] = []
failures: dict[str, int] = {}


async def on_segment(session: AsyncSession, event: SegmentPublished, runtime: Runtime) -> None:
    left = failures.get(event.key, 0)
    session.add(Note(org_path="hq", title=f"segment {event.key} {event.version}"))
    await session.flush()
    if left:
        failures[event.key] = left - 1
        raise RuntimeError("not yet")
    handled.append(event.segment_id)


class ProbeSettings(Settings):
    max_body_bytes: int = 100_000


service = Service(
    name="campaign",  # its durables and stream
    title="Probe",
    description="Exercises the plumbing",
    settings=ProbeSettings,
    routers=[router],
    handlers={"campaign__segments": {SegmentPublished: on_segment}},
    tasks={"count": count},
)
app = create_app(service)


@pytest.fixture(scope="session")
def probe_database(servers: Servers) -> str:
    administrator = create_engine(servers.postgres.url("postgres", "postgres"), isolation_level="AUTOCOMMIT")
    with administrator.connect() as connection:
        connection.execute(text("CREATE ROLE probe_app LOGIN"))
        connection.execute(text("CREATE DATABASE probe"))
    administrator.dispose()
    url = servers.postgres.url("probe", "postgres")
    engine = create_engine(url)
    shared_tables = [
        table.__table__
        for table in (
            db.Outbox,
            db.Inbox,
            db.StoredAnswer,
            db.AuditEntry,
            db.Job,
            WebhookEndpoint,
            WebhookMessage,
            WebhookDelivery,
            Note,
        )
    ]
    with engine.begin() as connection:
        db.metadata.create_all(connection, tables=shared_tables)
        with Operations.context(MigrationContext.configure(connection)):
            create_plumbing()
            protect_webhooks()
            enable_org_rls("probe_note")
        connection.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA public TO probe_app"))
        connection.execute(text("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO probe_app"))
    engine.dispose()
    return servers.postgres.url("probe", "probe_app")


@pytest.fixture(scope="session")
async def probe(
    servers: Servers, probe_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """On a broker of its own: it borrows the durables of the campaign service."""
    with NatsServer(tmp_path_factory.mktemp("probe")) as nats:
        settings = {
            **servers.environment("campaign"),
            "HUANYING_DATABASE_URL": probe_database,
            "HUANYING_NATS_URL": nats.url,
            "HUANYING_WEBHOOK_ALLOW": "127.0.0.1,hooks.test",
        }
        async with started(app, settings):
            yield Running("probe", app, app.state.runtime, servers)


@pytest.fixture(scope="session")
async def followed(probe: Running) -> Running:
    """Its webhooks follow the stream already: the first endpoint gets what came in the minute before it."""

    async def follows() -> bool:
        try:
            return await probe.runtime.bus.backlog(webhooks_of("campaign")) >= 0
        except NotFoundError:
            return False

    async with probe.client(Role.integrator) as client, receiving() as receiver:
        await create(client, receiver.url)
        await eventually(follows, what="the durable of webhooks")
    return probe


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def owner(followed: Running) -> AsyncIterator[httpx.AsyncClient]:
    """Head office's integrator; its webhooks go with the test, and it gets no events of the test before."""

    async def quiet() -> bool:
        unsent = await sql(followed, "SELECT count(*) FROM outbox WHERE sent_at IS NULL")
        return await followed.runtime.bus.backlog(webhooks_of("campaign")) + unsent[0][0] == 0

    await eventually(quiet, what="the end of earlier events")
    await sql(followed, "DELETE FROM webhook_endpoint")
    async with followed.client(Role.integrator) as client:
        yield client
    await sql(followed, "DELETE FROM webhook_endpoint")
