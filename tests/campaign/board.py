"""People of two branches and of head office who work on opportunities, plans and visits."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from services.campaign.usecases.contributions import store_contributions
from shared import clock
from shared.auth import Role
from shared.contracts.events import CustomerState, MonthOfCustomer, OpportunityMoved, ValuesCalculated
from shared.ids import new_id
from tests.campaign.desk import JINGAN, PUDONG, Desk

WHO: dict[str, tuple[Role, str]] = {
    "A": (Role.manager, PUDONG),
    "B": (Role.manager, PUDONG),
    "J": (Role.manager, JINGAN),
    "HEAD": (Role.branch_head, PUDONG),
    "S1": (Role.strategist, "hq"),
    "TIER": (Role.strategist, "hq.sh"),
    "APP": (Role.approver, "hq"),
}


@dataclass
class Board:
    desk: Desk

    async def call(
        self, who: str, method: str, path: str, body: Any = None, *, version: int | None = None
    ) -> httpx.Response:
        role, org = WHO[who]
        headers = {} if version is None else {"If-Match": f'"v{version}"'}
        async with self.desk.bank.client(role, org=org, staff=who) as client:
            return await client.request(method, f"/v1{path}", json=body, headers=headers)

    async def opened(self, number: int = 0, who: str = "A", **changes: Any) -> dict[str, Any]:
        body = {
            "customer_id": str(self.desk.people[number].customer_id),
            "name": "A loan for the plant",
            "amount": "1000.00",
            "expected_close": (clock.today() + timedelta(days=30)).isoformat(),
            **changes,
        }
        answer = await self.call(who, "POST", "/opportunities", body)
        assert answer.status_code == 201, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def act(
        self, one: dict[str, Any], verb: str, body: dict[str, Any], who: str = "A", status: int = 200
    ) -> dict[str, Any]:
        path = f"/opportunities/{one['id']}:{verb}"
        answer = await self.call(who, "POST", path, body, version=one["version"])
        assert answer.status_code == status, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def found(self, who: str = "A", query: str = "") -> list[str]:
        answer = await self.call(who, "GET", f"/opportunities?{query}")
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["items"]]

    async def store(self, *events: ValuesCalculated) -> None:
        async with self.desk.bank.campaign.runtime.db.transaction() as session:
            for event in events:
                await store_contributions(session, event)

    async def told(self, one: dict[str, Any]) -> list[OpportunityMoved]:
        payloads = await self.desk.outbox(OpportunityMoved, one["id"])
        return [OpportunityMoved.model_validate_json(_data(each)) for each in payloads]


def _data(payload: bytes) -> bytes:
    return payload[payload.index(b'"data":') + 7 : -1]


def a_month(customer: CustomerState, home: CustomerState, month: date, amount: str) -> ValuesCalculated:
    """What one of the customer's files contributed."""
    value = MonthOfCustomer(
        customer_id=customer.customer_id,
        ordinal=customer.ordinal,
        home_id=home.customer_id,
        home_ordinal=home.ordinal,
        products=1,
        contribution=Decimal(amount),
        income=Decimal(amount),
        net_income=Decimal(amount),
        capital_years=Decimal(0),
    )
    return ValuesCalculated(
        model="standard", run_id=new_id(), month=month, edition=1, currency="CNY", values=[value]
    )


@pytest.fixture
def board(desk: Desk) -> Board:
    return Board(desk)
