"""Two branches between which customers are referred."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from shared.auth import Role
from tests.campaign.desk import JINGAN, PUDONG, Desk, desk, somebody

__all__ = ["desk"]
Body = dict[str, Any]


@dataclass
class Two:
    """Two branches: A and B work in one, N and O in the other; each has a head, H and J."""

    desk: Desk

    def who(self, code: str) -> httpx.AsyncClient:
        org = JINGAN if code in "NOJ" else PUDONG
        role = Role.branch_head if code in "HJ" else Role.manager
        return self.desk.bank.client(role, org=org, staff=code)

    async def ask(self, code: str, verb: str, of: Body, body: Body | None = None) -> httpx.Response:
        async with self.who(code) as client:
            headers = {"If-Match": f'"v{of["version"]}"'}
            return await client.post(f"/v1/referrals/{of['id']}:{verb}", json=body, headers=headers)

    async def does(self, code: str, verb: str, of: Body, body: Body | None = None) -> Body:
        answer = await self.ask(code, verb, of, body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def post(self, code: str, **changes: Any) -> httpx.Response:
        async with self.who(code) as client:
            return await client.post("/v1/referrals", json=self.body(**changes))

    async def made(self, code: str = "A", **changes: Any) -> Body:
        answer = await self.post(code, **changes)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def body(self, **changes: Any) -> Body:
        return {
            "customer_id": str(self.desk.people[0].customer_id),
            "from_line": "corporate",
            "to": {"line": "personal", "org": JINGAN, "manager": "N"},
            "offer": "steady-r2",
            **changes,
        }

    async def seen(self, code: str, **filters: str) -> list[Body]:
        async with self.who(code) as client:
            answer = await client.get("/v1/referrals", params=filters)
            assert answer.status_code == 200, answer.text
            return list(answer.json()["items"])

    async def ids(self, code: str, **filters: str) -> set[str]:
        return {each["id"] for each in await self.seen(code, **filters)}

    async def execute(self, statement: str, **values: Any) -> None:
        async with self.desk.bank.campaign.runtime.db.transaction() as session:
            await session.execute(text(statement), values)


ANYBODY = {"line": "personal", "org": JINGAN}


@pytest.fixture
async def two(desk: Desk) -> Two:
    there = {"org": JINGAN, "primary_manager": "N", "backup_manager": "O"}
    await desk.bank.add_customers([somebody(7, **there)])
    return Two(desk)
