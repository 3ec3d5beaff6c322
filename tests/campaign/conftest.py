"""A small bank in the campaign service's read model, and the smallest complete campaign."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.campaign.usecases.readmodel import store_customers, store_members, store_segment
from shared import clock
from shared.auth import Role
from shared.contracts.base import LocalText
from shared.contracts.events import CustomersChanged, CustomerState, SegmentPublished, SegmentUpdated
from shared.ids import new_id
from tests.support import Running, empty_database, eventually

BRANCHES = ("hq.sh.pudong", "hq.sh.jingan")
SEGMENT = "affluent"


def a_customer(number: int, **changes: Any) -> CustomerState:
    """An active customer whom every rule lets pass, of a branch and a manager that follow its number."""
    branch = BRANCHES[number % 2]
    values = {
        "customer_id": new_id(),
        "ordinal": number + 1,
        "version": 1,
        "kind": "person",
        "org": branch,
        "primary_manager": f"{branch[-4:].upper()}-{number % 10}",
        "backup_manager": f"{branch[-4:].upper()}-B",
        "risk_level": "C5",
        "risk_valid_until": clock.today() + timedelta(days=365),
        "consents": {"call": True},
    }
    return CustomerState.model_validate({**values, **changes})


@dataclass
class Bank:
    """The service with customers in one segment, and people to act on it."""

    campaign: Running
    customers: list[CustomerState]
    segments: dict[str, UUID] = field(default_factory=dict)

    def client(self, *roles: Role, org: str = "hq", staff: str | None = None) -> httpx.AsyncClient:
        return self.campaign.client(*roles, org=org, staff=staff)

    def strategist(self) -> httpx.AsyncClient:
        return self.client(Role.strategist, staff="S1")

    def approver(self) -> httpx.AsyncClient:
        return self.client(Role.approver, staff="S2")

    def manager(self, code: str, org: str) -> httpx.AsyncClient:
        return self.client(Role.manager, org=org, staff=code)

    async def add_customers(self, customers: list[CustomerState]) -> None:
        async with self.campaign.runtime.db.transaction() as session:
            for first in range(0, len(customers), 500):
                part = customers[first : first + 500]
                await store_customers(session, CustomersChanged(customers=part))
        self.customers += customers

    async def add_segment(self, key: str, members: list[UUID], version: int = 1) -> None:
        segment_id = self.segments.setdefault(key, new_id())
        published = SegmentPublished(
            segment_id=segment_id, key=key, version=version, kind="rule", name=LocalText(zh=key, en=key)
        )
        async with self.campaign.runtime.db.transaction() as session:
            await store_segment(session, published)
            for first in range(0, len(members), 500):
                await store_members(
                    session,
                    SegmentUpdated(
                        segment_id=segment_id,
                        key=key,
                        version=version,
                        run_id=new_id(),
                        cause="full",
                        evaluated_at=datetime.now(UTC),
                        size=len(members),
                        joined=members[first : first + 500],
                        left=[],
                    ),
                )

    async def offer_and_script(self) -> None:
        async with self.strategist() as author:
            answer = await author.post("/v1/offers", json=OFFER)
            assert answer.status_code == 201, answer.text
        assert await self.wording("scripts", SCRIPT) == "call@1"

    async def wording(self, kind: str, body: dict[str, Any]) -> str:
        """A script or material that was approved; its version's name."""
        async with self.strategist() as author, self.approver() as checker:
            written = await author.post(f"/v1/{kind}", json=body)
            assert written.status_code == 201, written.text
            ref = str(written.json()["ref"])
            approved = await checker.post(f"/v1/{kind}/{ref}:approve", json={})
            assert approved.status_code == 200, approved.text
        return ref

    async def approved(self, **changes: Any) -> str:
        """A campaign that went through both pairs of eyes; its id."""
        async with self.strategist() as author:
            created = await author.post("/v1/campaigns", json=campaign_body(**changes))
            assert created.status_code == 201, created.text
        campaign_id = str(created.json()["id"])
        await self.approve(campaign_id)
        return campaign_id

    async def approve(self, campaign_id: str) -> None:
        path = f"/v1/campaigns/{campaign_id}"
        async with self.strategist() as author, self.approver() as checker:
            submitted = await author.post(f"{path}:submit")
            assert submitted.status_code == 200, submitted.text
            approved = await checker.post(f"{path}:approve", json={})
            assert approved.status_code == 200, approved.text

    async def launched(self, **changes: Any) -> str:
        campaign_id = await self.approved(**changes)
        await self.launch(campaign_id)
        return campaign_id

    async def launch_draft(self, campaign_id: str) -> None:
        await self.approve(campaign_id)
        await self.launch(campaign_id)

    async def launch(self, campaign_id: str) -> None:
        async with self.strategist() as author:
            answer = await author.post(f"/v1/campaigns/{campaign_id}:launch")
            assert answer.status_code == 202, answer.text
            job = answer.headers["location"]

            async def done() -> bool:
                state = (await author.get(job)).json()
                assert state["state"] != "failed", state
                return bool(state["state"] == "succeeded")

            await eventually(done, what="the launch")

    async def get(self, path: str) -> Any:
        async with self.strategist() as client:
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
            return answer.json()

    async def all_of(self, path: str, **filters: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        async with self.strategist() as client:
            while True:
                parameters = {**filters, "limit": "1000", **({"cursor": cursor} if cursor else {})}
                answer = await client.get(path, params=parameters)
                assert answer.status_code == 200, answer.text
                page = answer.json()
                items += page["items"]
                cursor = page["next_cursor"]
                if cursor is None:
                    return items


def campaign_body(**changes: Any) -> dict[str, Any]:
    """A complete campaign over both branches: 90 % called, 10 % held out."""
    today = clock.today()
    body: dict[str, Any] = {
        "key": f"c{new_id().hex}",
        "name": {"zh": "财富", "en": "Wealth"},
        "objective": {"primary_metric": "net_inflow_30d", "target": "50000000.00"},
        "scheme": {
            "scenario": {"kind": "life_cycle", "detail": {}},
            "arms": [an_arm("call", 0.9)],
            "hold_out": 0.1,
        },
        "people": {"owner": "S1", "orgs": ["hq.sh"]},
        "schedule": {"start": today.isoformat(), "end": (today + timedelta(days=30)).isoformat()},
        "responsibility": {
            "accountable": "S1",
            "measures": [{"org": "hq.sh.pudong", "target": "8000000.00"}],
        },
        "audience": {"include": [SEGMENT]},
        "budget": {"amount": "120000.00", "currency": "CNY"},
    }
    return {**body, **changes}


def an_arm(key: str, share: float, **changes: Any) -> dict[str, Any]:
    arm = {"key": key, "share": share, "offer": "steady-r2", "channel": "manager_task", "script": "call@1"}
    return {**arm, **changes}


def a_scheme(*arms: dict[str, Any], hold_out: float = 0.1) -> dict[str, Any]:
    return {"scenario": {"kind": "product", "detail": {}}, "arms": list(arms), "hold_out": hold_out}


OFFER = {
    "key": "steady-r2",
    "name": {"zh": "稳健", "en": "Steady"},
    "product": "W-01",
    "risk": "R2",
    "terms": {"text": {"zh": "年化 2.85%", "en": "2.85 % a year"}, "rate": "0.0285"},
    "value": "860.00",
}
SCRIPT = {
    "key": "call",
    "name": {"zh": "电话", "en": "Call"},
    "steps": [{"key": "hello", "text": {"zh": "您好", "en": "Good morning"}}],
    "minutes": 6,
}


@pytest.fixture
async def empty_bank(campaign: Running) -> Bank:
    await empty_database(campaign.servers, "campaign")
    bank = Bank(campaign, [])
    await bank.offer_and_script()
    return bank


@pytest.fixture
async def bank(empty_bank: Bank) -> Bank:
    """1,000 customers whom the rules let pass (but for the global hold-out), all in one segment."""
    await empty_bank.add_customers([a_customer(number) for number in range(1000)])
    await empty_bank.add_segment(SEGMENT, [state.customer_id for state in empty_bank.customers])
    return empty_bank
