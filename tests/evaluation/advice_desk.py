"""A strategist with a recommendation before him, and the campaign service that it leads to: both run."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from shared import clock
from shared.auth import Role
from shared.ids import new_id
from tests.evaluation.bank import Campaign
from tests.support import Running, eventually

Connect = Callable[..., None]


@pytest.fixture
async def strategist(evaluation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with evaluation.client(Role.strategist, staff="S0001") as client:
        yield client


@pytest.fixture
def connect(evaluation: Running, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Puts something in the place of the campaign service, or of another one."""

    def replaced(client: httpx.AsyncClient, service: str = "campaign") -> None:
        monkeypatch.setitem(evaluation.runtime._clients, service, client)

    return replaced


@pytest.fixture
async def campaigns(campaign: Running, connect: Connect) -> AsyncIterator[httpx.AsyncClient]:
    """The running campaign service: where the evaluation service finds it, and for a strategist."""
    async with campaign.client() as bare, campaign.client(Role.strategist, staff="S0001") as client:
        connect(bare)
        yield client


async def written(campaigns: httpx.AsyncClient, *, days_ago: int = 60, **changes: Any) -> dict[str, Any]:
    """A campaign as somebody once wrote it."""
    first = clock.today() - timedelta(days=days_ago)
    arms = [
        {"key": key, "share": 0.3, "offer": "wealth", "channel": channel, "script": script}
        for key, channel, script in (("call", "manager_task", "w@1"), ("sms", "sms", "s@1"))
    ]
    body = {
        "key": f"advised-{new_id().hex[-12:]}",
        "name": {"zh": "财富客户", "en": "Wealth"},
        "objective": {"primary_metric": "net_inflow_30d", "target": "100000.00"},
        "scheme": {"scenario": {"kind": "life_cycle"}, "arms": arms, "hold_out": 0.4},
        "people": {"owner": "S0001", "orgs": ["hq"]},
        "schedule": {"start": str(first), "end": str(first + timedelta(days=20)), "waves": 2},
        "responsibility": {"accountable": "S0001"},
        "audience": {"include": ["affluent", "young"], "exclude": ["complained"]},
        "budget": {"amount": "5000.00"},
    }
    answer = await campaigns.post("/v1/campaigns", json=body | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def advised(evaluation: Running, client: httpx.AsyncClient, told: Campaign) -> dict[str, Any]:
    """Tell a campaign's story and wait for its recommendation."""
    await evaluation.publish(*told.facts(), told.completed())

    async def there() -> bool:
        return (await client.get(f"/v1/campaigns/{told.id}/result")).status_code == 200

    await eventually(there, what="a result")
    page = (await client.get("/v1/recommendations", params={"campaign_id": str(told.id)})).json()
    (found,) = page["items"]
    return found
