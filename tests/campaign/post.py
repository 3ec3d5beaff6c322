"""A bank whose text messages go to a receiver of ours."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.campaign.settings import CampaignSettings
from services.campaign.usecases.message_outcomes import take_receipts
from services.campaign.usecases.sending import send_due
from shared.auth import Role
from shared.contracts.campaign.channels import Receipt
from tests.campaign.conftest import SEGMENT, Bank, a_customer, a_scheme, an_arm
from tests.campaign.desk import PUDONG
from tests.customer.conftest import Bank as CustomerBank
from tests.customer.conftest import bank as customer_bank
from tests.shared.receiver import Receiver, answer, receiving
from tests.support import Running, eventually

__all__ = ["customer_bank"]
PEOPLE = 8
TEXT = {
    "key": "text",
    "name": {"zh": "稳健理财", "en": "Steady plan"},
    "steps": [
        {"key": "hello", "text": {"zh": "{{ customer.salutation | default('您') }}好", "en": "Good morning"}},
        {"key": "offer", "text": {"zh": "{{ offer.name }} {{ offer.rate | percent }}", "en": "An offer"}},
    ],
}
CHANNEL = {
    "kind": "sms",
    "name": {"zh": "短信", "en": "Text messages"},
    "consent": "sms",
    "per_minute": 10_000,
    "daily_capacity": 10_000,
    "cost": "0.05",
}


@dataclass
class Post:
    """A bank whose text messages go to a receiver of ours, and whose addresses the customer service knows."""

    bank: Bank
    receiver: Receiver
    people: dict[str, dict[str, Any]]

    async def launched(self, *arms: dict[str, Any], **changes: Any) -> str:
        scheme = a_scheme(*(arms or (an_arm("sms", 1.0, channel="sms", script="text@1"),)), hold_out=0)
        return await self.bank.launched(scheme=scheme, **changes)

    async def planned(self) -> str:
        """A running campaign whose channel is closed: all its messages wait."""
        campaign_id = await self.bank.approved(
            scheme=a_scheme(an_arm("sms", 1.0, channel="sms", script="text@1"), hold_out=0)
        )
        await self._switch("disable")
        await self.bank.launch(campaign_id)
        return campaign_id

    async def open(self) -> None:
        await self._switch("enable")

    async def _switch(self, verb: str) -> None:
        async with self.bank.strategist() as author:
            assert (await author.post(f"/v1/channels/sms:{verb}")).status_code == 200

    async def messages(self, campaign_id: str) -> list[dict[str, Any]]:
        return await self.bank.all_of(f"/v1/campaigns/{campaign_id}/messages")

    async def settled(self, campaign_id: str) -> list[dict[str, Any]]:
        async def closed() -> bool:
            found = await self.messages(campaign_id)
            return bool(found) and all(each["closed_at"] for each in found)

        await eventually(closed, what="the end of all messages")
        return await self.messages(campaign_id)

    async def ledger(self, campaign_id: str) -> Counter[str]:
        lines = await self.bank.all_of(f"/v1/campaigns/{campaign_id}/ledger")
        return Counter(line["disposition"] or line["reason"] or line["state"] for line in lines)

    async def receive(self, *receipts: Receipt) -> None:
        async with self.bank.campaign.runtime.db.transaction() as session:
            await take_receipts(session, "sms", receipts)

    async def round(self) -> None:
        settings = self.bank.campaign.runtime.settings
        assert isinstance(settings, CampaignSettings)
        await send_due(self.bank.campaign.runtime, settings)


@pytest.fixture
async def post(
    empty_bank: Bank, customer_bank: CustomerBank, customer: Running, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Post]:
    transport = httpx.ASGITransport(customer.app, raise_app_exceptions=False)
    key = {"X-API-Key": customer.servers.api_key(None, Role.messenger)}
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://customer", headers=key) as client,
        receiving() as receiver,
    ):
        monkeypatch.setitem(empty_bank.campaign.runtime._clients, "customer", client)
        receiver.otherwise = answer(202)
        people = [
            await customer_bank.customer(name="欧阳娜", gender="F", consents={"sms": True, "call": True})
            for _ in range(PEOPLE)
        ]
        states = [
            a_customer(number, org=PUDONG, customer_id=person["id"], consents={"sms": True, "call": True})
            for number, person in enumerate(people)
        ]
        states = [each.model_copy(update={"version": 99}) for each in states]
        await empty_bank.add_customers(states)
        await empty_bank.add_segment(SEGMENT, [each.customer_id for each in states])
        await empty_bank.wording("scripts", TEXT)
        async with empty_bank.strategist() as author:
            made = await author.post(
                "/v1/channels",
                json={
                    **CHANNEL,
                    "key": "sms",
                    "connector": {"type": "webhook", "url": receiver.url},
                    "secret": "whsec_" + "a2" * 16,
                },
            )
            assert made.status_code == 201, made.text
            assert (await author.post("/v1/channels/sms:enable")).status_code == 200
        yield Post(empty_bank, receiver, {each["id"]: each for each in people})
