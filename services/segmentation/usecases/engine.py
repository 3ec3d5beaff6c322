"""What one process remembers between evaluations, so that the next one costs little."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from uuid import UUID

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.queries.kept_members import Kept
from services.segmentation.store.agenda import Agenda
from services.segmentation.usecases.campaign_feed import CampaignFeed, following_campaigns
from services.segmentation.usecases.feed import STREAM, open_store
from services.segmentation.usecases.passes import Seen
from shared import clock
from shared.service import Runtime


@dataclass(frozen=True)
class Memory:
    """What a pass left: where it stands, and the members of the segments that are in step with it."""

    run_id: UUID
    seen: Seen
    kept: Mapping[UUID, Kept]


@dataclass
class Engine:
    """`memory` is of this process's last pass, after which another's may have come."""

    agenda: Agenda = field(default_factory=lambda: Agenda(STREAM))
    memory: Memory | None = None
    passing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One pass at a time: the agenda is no matter for several threads."""
    filling: asyncio.Lock = field(default_factory=asyncio.Lock)

    def kept_after(self, run_id: UUID | None) -> Mapping[UUID, Kept]:
        """What is still true if `run_id` was the last pass of all."""
        return self.memory.kept if self.memory is not None and self.memory.run_id == run_id else {}

    def quiet(self, now: datetime) -> bool:
        """Time alone has changed nothing since the last pass."""
        if self.memory is None or now < self.memory.seen.at:
            return False
        before, moment = Moment(self.memory.seen.at, clock.ZONE), Moment(now, clock.ZONE)
        return before.today == moment.today and self.agenda.quiet(before.utc, moment.utc)


@asynccontextmanager
async def open_engine(runtime: Runtime) -> AsyncIterator[Mapping[type, object]]:
    """The process's store, its feeds and what evaluations remember."""
    async with open_store(runtime) as found, following_campaigns(runtime, found) as campaigns:
        yield {**found, CampaignFeed: campaigns, Engine: Engine()}


@lru_cache(maxsize=8)
def language_of(catalogue: Catalogue) -> str:
    """Digest of all that a rule's text may mean."""
    meaning = repr([version("huanying"), *catalogue])
    return sha256(meaning.encode()).hexdigest()
