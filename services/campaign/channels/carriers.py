"""What connectors share in one process: connections, name lookups, and the places messages may go."""

import ssl
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpcore

from services.campaign.settings import CampaignSettings
from shared.db import Database
from shared.service import Runtime
from shared.webhooks.destinations import Destinations, open_pool
from shared.webhooks.names import Names

_CONNECTIONS = 32
_THREADS = 8


@dataclass(frozen=True)
class Carriers:
    pool: httpcore.AsyncConnectionPool
    destinations: Destinations
    names: Names
    tls: ssl.SSLContext
    threads: ThreadPoolExecutor
    """For what blocks: mail sessions and files."""
    drop: Path
    db: Database


@asynccontextmanager
async def carrying(settings: CampaignSettings, db: Database) -> AsyncIterator[Carriers]:
    tls = ssl.create_default_context()
    if settings.webhook_ca_file is not None:
        tls.load_verify_locations(settings.webhook_ca_file)
    threads = ThreadPoolExecutor(_THREADS, "channels")
    async with open_pool(settings, _CONNECTIONS) as pool:
        try:
            yield Carriers(
                pool=pool,
                destinations=Destinations.of(settings),
                names=Names(),
                tls=tls,
                threads=threads,
                drop=settings.drop_dir or settings.data_dir / "drops",
                db=db,
            )
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def open_carriers(runtime: Runtime) -> AsyncIterator[Mapping[type, object]]:
    if not isinstance(runtime.settings, CampaignSettings):
        raise TypeError(f"the campaign service runs with {type(runtime.settings)}")
    async with carrying(runtime.settings, runtime.db) as carriers:
        yield {Carriers: carriers}
