"""A tier scheme, and the strategist and approver who apply it through the API."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import text

from shared import clock
from shared.auth import Role
from shared.contracts.events import CustomerState
from shared.contracts.events.tier import TierChanged
from tests.support import Running, eventually


def tier(code: str, up: float | None = None, down: float | None = None) -> dict[str, Any]:
    name = {"zh": code, "en": code}
    return {"code": code, "name": name, "upgrade_at": up, "downgrade_below": down}


def scheme(key: str, **fields: Any) -> dict[str, Any]:
    tiers = [tier("basic"), tier("gold", 50_000, 40_000), tier("private", 6_000_000, 5_000_000)]
    return {"key": key, "name": {"zh": key, "en": key}, "feature": "aum", "tiers": tiers, **fields}


class Desk:
    """A strategist who applies and an approver who decides."""

    def __init__(self, running: Running, maker: httpx.AsyncClient, checker: httpx.AsyncClient) -> None:
        self.running, self.maker, self.checker = running, maker, checker

    async def listed(self, key: str, *, dry_run: bool = False) -> dict[str, Any]:
        """A list, once it is computed."""
        asked = await self.maker.post(f"/v1/tier-schemes/{key}:apply", json={"dry_run": dry_run})
        assert asked.status_code == 202, asked.text
        assert asked.headers["Location"] == f"/v1/jobs/{asked.json()['job_id']}"
        return await self.until(asked.json()["id"], "dry_run" if dry_run else "proposed")

    async def until(self, list_id: str, state: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def reached() -> bool:
            found.update((await self.maker.get(f"/v1/tier-lists/{list_id}")).json())
            return bool(found["state"] == state)

        await eventually(reached, what=f"the list to be {state}")
        return found

    async def apply(self, key: str) -> dict[str, Any]:
        proposed = await self.listed(key)
        approved = await self.checker.post(f"/v1/tier-lists/{proposed['id']}:approve", json={})
        assert approved.status_code == 202, approved.text
        return await self.until(proposed["id"], "effective")

    async def tiers(self, customer: CustomerState) -> dict[str, str]:
        answer = await self.maker.get(f"/v1/customers/{customer.customer_id}/tier")
        assert answer.status_code == 200, answer.text
        return {held["scheme_key"]: held["tier"] for held in answer.json()["tiers"]}

    async def changes(self, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {**params, "limit": "2", **({"cursor": cursor} if cursor else {})}
            page = (await self.maker.get("/v1/tier-changes", params=query)).json()
            found += page["items"]
            cursor = page["next_cursor"]
        return found

    async def told(self, key: str) -> list[dict[str, Any]]:
        async with self.running.runtime.db.transaction() as session:
            rows = await session.scalars(
                text("SELECT payload FROM outbox WHERE subject = :subject ORDER BY seq"),
                {"subject": f"segmentation.tier_changed.{key}"},
            )
            told = [orjson.loads(payload)["data"] for payload in rows]
        assert [TierChanged.model_validate(one) for one in told]
        return told


@pytest.fixture
async def desk(segmentation: Running) -> AsyncIterator[Desk]:
    async with (
        segmentation.client(Role.strategist, staff="maker") as maker,
        segmentation.client(Role.approver, staff="checker") as checker,
    ):
        yield Desk(segmentation, maker, checker)


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the business time on."""
    passed = timedelta()

    def move(days: float) -> None:
        nonlocal passed
        passed += timedelta(days=days)
        monkeypatch.setattr(clock._clock, "_offset", passed)

    return move
