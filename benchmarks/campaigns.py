"""Campaigns made as a bank makes them: one person writes, another approves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.workplace import Workplace
from shared.auth import Role
from tests.campaign.conftest import OFFER, SCRIPT

_LOOK_SECONDS = 0.1
_LOOKS = 600


@dataclass(frozen=True)
class Desk:
    author: httpx.AsyncClient
    checker: httpx.AsyncClient

    async def draft(self, body: dict[str, Any]) -> str:
        """A campaign with the one offer and the one script there are; its path."""
        await done(self.author, "/offers", OFFER)
        script = await done(self.author, "/scripts", SCRIPT)
        await done(self.checker, f"/scripts/{script['ref']}:approve", {})
        return f"/campaigns/{(await done(self.author, '/campaigns', body))['id']}"

    async def approve(self, path: str) -> None:
        """Once the service has heard of its segments."""
        for _ in range(_LOOKS):
            submitted = await self.author.post(f"{path}:submit")
            if submitted.status_code != 422:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        submitted.raise_for_status()
        await done(self.checker, f"{path}:approve", {})

    async def launch(self, path: str) -> None:
        """Until it runs."""
        await done(self.author, f"{path}:launch")
        while (await self.author.get(path)).json()["status"] != "running":  # noqa: ASYNC110 - a benchmark may look
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def desk(place: Workplace, url: str) -> AsyncIterator[Desk]:
    """Of the campaign service at `url`."""
    author, checker = (
        httpx.AsyncClient(
            base_url=f"{url}/v1",
            timeout=600,
            headers={"Authorization": f"Bearer {place.token(role, staff=staff)}"},
        )
        for role, staff in ((Role.strategist, "S1"), (Role.approver, "S2"))
    )
    async with author, checker:
        yield Desk(author, checker)


async def done(client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    return dict(answer.raise_for_status().json())
