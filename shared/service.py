"""What a service is made of, and what it holds while it runs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from shared.auth import Authenticator
from shared.bus import Bus, FeedTarget
from shared.contracts.events import EventData
from shared.db import Database
from shared.room import Room
from shared.settings import SERVICES, Settings
from shared.told import Kept

if TYPE_CHECKING:
    from shared.jobs import JobRun

Resource = TypeVar("Resource")

Handler = Callable[[AsyncSession, Any, "Runtime"], Awaitable[None]]
"""Works on one event inside the transaction {inbox row, effects, outbox rows}."""


@dataclass(frozen=True)
class InBatches:
    """Works on events of one type inside one transaction, as if they came one by one in their order.

    Only for what locks rows in one order whatever the events are, and so little that others may wait for all
    of a batch: with it the whole durable is worked on in batches.
    """

    handle: Callable[[AsyncSession, Sequence[Any], "Runtime"], Awaitable[None]]


AnyHandler = Handler | InBatches

Task = Callable[["JobRun"], Awaitable[dict[str, Any]]]
"""A background job; its result is shown to the caller. May run twice after a crash: make it resumable."""


@dataclass(frozen=True)
class Feed:
    """A store of this service that follows a stream from its own watermark."""

    name: str
    stream: str
    events: Sequence[type[EventData]]
    target: Callable[["Runtime"], FeedTarget]


@dataclass(frozen=True)
class Service:
    """The wiring of one service; `app.py` and `worker.py` are made from it."""

    name: str
    title: str
    description: str
    settings: type[Settings]
    routers: Sequence[APIRouter]
    handlers: Mapping[str, Mapping[type[EventData], AnyHandler]] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)
    resources: Callable[["Runtime"], AbstractAsyncContextManager[Mapping[type, object]]] | None = None
    """Opens what the process holds besides database and broker, e.g. its DuckDB store."""
    feeds: Sequence[Feed] = ()
    """Followed in API and worker processes alike: each has its own store."""
    filled: Callable[["Runtime"], Awaitable[None]] | None = None
    """Waited for before streams are followed and before jobs and background work begin: a process whose store
    is still being filled would answer from nothing, and keep others from the job.
    """
    keeps: Kept | None = None
    """What it told, for stores that are made anew when the streams have forgotten it."""
    background: Sequence[Callable[["Runtime"], Awaitable[None]]] = ()
    """Endless work of the worker only; restarted with a delay when it fails."""


class Runtime:
    """Connections and resources of one process of one service."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self.settings = settings
        self.db = Database(settings)
        self.room = Room(self.db, settings)
        self.bus = Bus(settings, f"huanying-{service.name}")
        self.authenticator = Authenticator(settings)
        self.resources: dict[type, object] = {}
        key = settings.secret(settings.service_key_file)
        self._clients = {
            name: httpx.AsyncClient(
                base_url=settings.url_of(name),
                headers={"X-API-Key": key} if key else {},
                timeout=httpx.Timeout(30, read=300),
            )
            for name in SERVICES
            if name != service.name
        }

    def client(self, service: str) -> httpx.AsyncClient:
        """For another service's API, with this service's own key."""
        return self._clients[service]

    def resource(self, kind: type[Resource]) -> Resource:
        found = self.resources[kind]
        if not isinstance(found, kind):
            raise TypeError(f"{kind} holds a {type(found)}")
        return found

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        await self.bus.close()
        await self.db.close()
