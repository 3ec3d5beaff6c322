"""What every step of the story works with."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from deploy.demo.api import Api, Caller
from deploy.demo.errors import DemoError
from deploy.demo.memory import Memory, Result
from deploy.demo.narration import Narrator
from deploy.demo.plot import Plot
from deploy.demo.world import World
from shared.clock import Clock, set_offset

T = TypeVar("T")
CAMPAIGN_DAYS_AGO = timedelta(days=31)
"""The campaign is launched that long before the present, so its 30-day outcomes have all come in."""
RESOLVE_AT_ONCE = 5_000


@dataclass
class Scene:
    api: Api
    world: World
    plot: Plot
    memory: Memory
    narrator: Narrator
    data_dir: Path
    _ids: pa.Table | None = field(default=None, init=False)

    @property
    def admin(self) -> Caller:
        return self.api.user("admin")

    @property
    def strategist(self) -> Caller:
        return self.api.user("strategist")

    @property
    def approver(self) -> Caller:
        return self.api.user("approver")

    @property
    def clock_file(self) -> Path:
        return self.data_dir / "clock"

    def result(self, step: str) -> Result:
        return self.memory.steps[step]

    def now(self) -> datetime:
        """Business time, as the services have it."""
        return Clock(self.clock_file).now()

    def set_back(self) -> None:
        """Business time as it was when the campaign began."""
        set_offset(self.clock_file, -CAMPAIGN_DAYS_AGO)

    def return_to_present(self) -> None:
        set_offset(self.clock_file, timedelta())

    @property
    def begun(self) -> datetime:
        return datetime.fromisoformat(self.memory.begun).astimezone(UTC)

    async def customer_ids(self) -> pa.Table:
        """customer_id and source_id of every customer, in the bank's own order."""
        if self._ids is None:
            names = self.world.data.customers["source_id"].to_pylist()
            found: list[str] = []
            for start in range(0, len(names), RESOLVE_AT_ONCE):
                items = [
                    {"source": self.world.data.source, "source_id": name}
                    for name in names[start : start + RESOLVE_AT_ONCE]
                ]
                answer = await self.admin.post("customer/v1/customers:resolve", {"items": items})
                found.extend(item["customer_id"] for item in answer["items"])
            self._ids = pa.table({"customer_id": pa.array(found, pa.string()), "source_id": names})
        return self._ids


async def side_by_side(work: Iterable[Callable[[], Awaitable[T]]], at_once: int) -> list[T]:
    """Run them, so many at a time; the first failure stops the rest."""
    places = asyncio.Semaphore(at_once)

    async def one(begin: Callable[[], Awaitable[T]]) -> T:
        async with places:
            return await begin()

    async with asyncio.TaskGroup() as group:
        running = [group.create_task(one(begin)) for begin in work]
    return [task.result() for task in running]


async def until(what: str, check: Callable[[], Awaitable[T | None]], seconds: float = 300) -> T:
    """Ask again and again until `check` gives something."""
    deadline = time.monotonic() + seconds
    while (found := await check()) is None:
        if time.monotonic() > deadline:
            raise DemoError(f"{what} did not come about within {seconds:.0f} s")
        await asyncio.sleep(0.25)
    return found
