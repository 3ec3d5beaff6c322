"""A desk of one branch: a small bank to which the customer service tells what became of its customers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from services.campaign.domain.split import GLOBAL_SALT, position
from shared import clock
from shared.contracts.events import (
    CustomerRef,
    CustomersChanged,
    CustomersMerged,
    CustomerState,
    CustomersUnmerged,
    EventData,
    OwnershipChanged,
    SeparatedCustomer,
)
from shared.contracts.events.stewardship import Owners, OwnershipCause, OwnershipChange
from shared.db import AuditEntry, Outbox
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT, Bank, a_customer, a_scheme, an_arm

PUDONG, JINGAN = "hq.sh.pudong", "hq.sh.jingan"
_versions = count(2)
_CUSTOMER_DURABLES = ("campaign__customers", "campaign__customer_file", "campaign__interactions")
EVERYBODY = a_scheme(an_arm("call", 1.0), hold_out=0)


def somebody(number: int, **changes: Any) -> CustomerState:
    """Not one of those whom no campaign ever contacts."""
    while True:
        state = a_customer(number, **changes)
        if position(GLOBAL_SALT, state.customer_id) >= 0.02:
            return state


@dataclass
class Desk:
    """A bank of six customers of one branch and one manager, A with backup B."""

    bank: Bank
    people: list[CustomerState]

    async def tell(self, *events: EventData) -> None:
        await self.bank.campaign.publish(*events)
        await self.bank.campaign.heard(*_CUSTOMER_DURABLES)

    async def ledger(self, campaign_id: str) -> dict[UUID, dict[str, Any]]:
        lines = await self.bank.all_of(f"/v1/campaigns/{campaign_id}/ledger")
        return {UUID(line["customer_id"]): line for line in lines}

    async def tasks(self, code: str = "A", org: str = PUDONG, **filters: str) -> list[dict[str, Any]]:
        async with self.bank.manager(code, org) as manager:
            answer = await manager.get("/v1/tasks", params={"limit": "1000", **filters})
            assert answer.status_code == 200, answer.text
            return list(answer.json()["items"])

    async def post(self, path: str, body: dict[str, Any], code: str = "A", org: str = PUDONG) -> Any:
        async with self.bank.manager(code, org) as manager:
            answer = await manager.post(path, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

    async def record(self, task_id: str, body: dict[str, Any], code: str = "A", org: str = PUDONG) -> Any:
        """One attempt, begun and recorded."""
        await self.post(f"/v1/tasks/{task_id}:start", {}, code, org)
        return await self.post(f"/v1/tasks/{task_id}:record", body, code, org)

    async def balanced(self, campaign_id: str) -> dict[str, Any]:
        progress: dict[str, Any] = await self.bank.get(f"/v1/campaigns/{campaign_id}/progress")
        assert progress["balanced"], progress["imbalances"]
        return progress

    async def audited(self, action: str) -> list[dict[str, Any]]:
        async with self.bank.campaign.runtime.db.transaction() as session:
            found = await session.scalars(
                select(AuditEntry.detail).where(AuditEntry.action == action).order_by(AuditEntry.seq)
            )
            return list(found)

    async def outbox(self, type_: type[EventData], mark: str) -> list[bytes]:
        async with self.bank.campaign.runtime.db.transaction() as session:
            payloads = await session.scalars(select(Outbox.payload).order_by(Outbox.seq))
            found = [bytes(each) for each in payloads]
        return [each for each in found if type_.type_name().encode() in each and mark.encode() in each]


@pytest.fixture
async def desk(empty_bank: Bank) -> Desk:
    owners = {"org": PUDONG, "primary_manager": "A", "backup_manager": "B"}
    people = [somebody(number, **owners) for number in range(6)]
    await empty_bank.add_customers(people)
    await empty_bank.add_segment(SEGMENT, [state.customer_id for state in people])
    return Desk(empty_bank, people)


def ref(state: CustomerState) -> CustomerRef:
    return CustomerRef(customer_id=state.customer_id, ordinal=state.ordinal)


def merged(survivor: CustomerState, *losers: CustomerState) -> list[EventData]:
    """As the customer service tells of it."""
    owners = survivor.model_dump(include={"org", "primary_manager", "backup_manager"})
    merged_into = {"status": "merged", "merged_into": survivor.customer_id}
    states = [
        each.model_copy(update={"version": next(_versions), **merged_into, **owners}) for each in losers
    ]
    return [
        CustomersMerged(
            merge_id=new_id(),
            survivor=ref(survivor),
            merged=[ref(each) for each in losers],
            merged_at=datetime.now(UTC),
            merged_by="user:t",
        ),
        CustomersChanged(customers=states),
    ]


def unmerged(told: list[EventData], *losers: CustomerState) -> list[EventData]:
    merge = told[0]
    assert isinstance(merge, CustomersMerged)
    return [
        CustomersUnmerged(
            merge_id=merge.merge_id,
            survivor=merge.survivor,
            separated=[SeparatedCustomer(**ref(each).model_dump()) for each in losers],
            unmerged_at=datetime.now(UTC),
            unmerged_by="user:t",
        ),
        CustomersChanged(customers=[each.model_copy(update={"version": next(_versions)}) for each in losers]),
    ]


def but_versions(lines: dict[UUID, dict[str, Any]]) -> dict[UUID, dict[str, Any]]:
    return {key: {name: line[name] for name in line if name != "version"} for key, line in lines.items()}


def moved(
    states: list[CustomerState], cause: OwnershipCause, before: dict[str, Any], after: dict[str, Any]
) -> OwnershipChanged:
    return OwnershipChanged(
        changes=[
            OwnershipChange(
                customer_id=each.customer_id,
                before=Owners.model_validate({"org": PUDONG, **before}),
                after=Owners.model_validate({"org": PUDONG, **after}),
                effective_on=clock.today(),
                cause=cause,
            )
            for each in states
        ]
    )


AB = {"primary_manager": "A", "backup_manager": "B"}
BC = {"primary_manager": "B", "backup_manager": "C"}
