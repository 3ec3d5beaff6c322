"""A bank with two customers, a price list, and everybody who sells, decides and approves."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared import clock
from shared.auth import Role
from shared.contracts.events import (
    CustomerState,
    MonthOfCustomer,
    ValuesCalculated,
)
from shared.ids import new_id
from tests.campaign.conftest import Bank, a_customer
from tests.campaign.desk import JINGAN, PUDONG
from tests.campaign.prices import PRICES, a_line
from tests.support import Running, empty_database

DURABLES = ("campaign__customers", "campaign__customer_file", "campaign__values")
AUTHORS: dict[str, tuple[Role, str]] = {
    "M1": (Role.manager, PUDONG),
    "M2": (Role.manager, JINGAN),
    "B1": (Role.branch_head, PUDONG),
    "S1": (Role.strategist, "hq"),
    "A1": (Role.approver, "hq"),
    "ADM": (Role.admin, "hq"),
}


@dataclass
class Counter:
    """A bank with two customers in Pudong and one price list; people are named by staff code."""

    bank: Bank
    one: CustomerState
    other: CustomerState

    async def call(
        self, who: str, method: str, path: str, body: Any = None, *, version: int | None = None
    ) -> httpx.Response:
        role, org = AUTHORS[who]
        headers = {} if version is None else {"If-Match": f'"v{version}"'}
        async with self.bank.client(role, org=org, staff=who) as client:
            return await client.request(method, f"/v1{path}", json=body, headers=headers)

    async def draft(self, price: str | None, *, who: str = "M1", **changes: Any) -> dict[str, Any]:
        """A million for a year at this rate; the tariff is 4.35 %, the cost 3.765 %."""
        answer = await self.call(who, "POST", "/price-quotes", self.body(price, **changes))
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def body(self, price: str | None, **changes: Any) -> dict[str, Any]:
        return {
            "customer_id": str(self.one.customer_id),
            "price_list": "corporate",
            "months": 12,
            "lines": [a_line("LOAN-WC", "1000000.00", price)],
            **changes,
        }

    async def act(
        self, who: str, quote: dict[str, Any], verb: str, body: Any = None, *, status: int = 200
    ) -> dict[str, Any]:
        path = f"/price-quotes/{quote['id']}:{verb}"
        answer = await self.call(who, "POST", path, body, version=quote["version"])
        assert answer.status_code == status, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def propose(self, body: dict[str, Any] = PRICES, *, who: str = "S1") -> str:
        answer = await self.call(who, "POST", "/price-lists", body)
        assert (answer.status_code, answer.json()["state"]) == (201, "in_review"), answer.text
        return str(answer.json()["ref"])

    async def decide(self, who: str, ref: str, verb: str = "approve", *, status: int = 200) -> dict[str, Any]:
        body = {"comment": "as agreed"} if verb == "approve" else {"reason": "too cheap"}
        answer = await self.call(who, "POST", f"/price-lists/{ref}:{verb}", body)
        assert answer.status_code == status, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def price(self, body: dict[str, Any] = PRICES) -> str:
        """The list at a version that is in force."""
        ref = await self.propose(body)
        await self.decide("A1", ref)
        return ref

    async def tell(self, *events: Any) -> None:
        await self.bank.campaign.publish(*events)
        await self.bank.campaign.heard(*DURABLES)


@pytest.fixture
async def counter(campaign: Running) -> Counter:
    await empty_database(campaign.servers, "campaign")
    bank = Bank(campaign, [])
    people = [a_customer(number, org=PUDONG) for number in range(2)]
    await bank.add_customers(people)
    counter = Counter(bank, *people)
    await counter.price()
    return counter


def month_back(months: int) -> date:
    now = clock.today()
    index = now.year * 12 + now.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def told(
    customer: CustomerState,
    contribution: str,
    *,
    back: int = 1,
    edition: int = 1,
    products: int = 1,
    **more: Any,
) -> ValuesCalculated:
    value = MonthOfCustomer(
        customer_id=customer.customer_id,
        ordinal=customer.ordinal,
        products=products,
        contribution=Decimal(contribution),
        income=Decimal(0),
        net_income=Decimal(0),
        capital_years=Decimal(0),
    )
    values = {"model": "standard", "month": month_back(back), "run_id": new_id(), "edition": edition}
    return ValuesCalculated.model_validate({**values, "currency": "CNY", "values": [value], **more})
