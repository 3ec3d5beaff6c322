"""What accepting does in the other services, besides drafting the same campaign once more."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from shared.auth import Role
from shared.contracts.events import AssignedContact, EventData
from shared.contracts.events.tier import TierChanged
from shared.ids import new_id
from tests.evaluation.advice_desk import Connect, advised, campaigns, connect, strategist, written
from tests.evaluation.bank import SCHEME, SEGMENTS, Campaign
from tests.support import Running

__all__ = ["campaigns", "connect", "strategist"]


@dataclass
class Tiered(Campaign):
    """Calling helps whoever is gold by `effect`, and harms the others as much."""

    def contacts(self) -> list[AssignedContact]:
        chances = {True: 1 - self.declared_hold_out, False: self.declared_hold_out}
        self.people = [
            contact.model_copy(
                update={
                    "propensity": chances[contact.arm is not None],
                    "segment": SEGMENTS[number // 2 % 2],
                }
            )
            for number, contact in enumerate(super().contacts())
        ]
        self.gold = {contact.customer_id for contact in self.people[::2]}
        return self.people

    def lift(self, contact: AssignedContact) -> float:
        return super().lift(contact) * (1 if contact.customer_id in self.gold else -1)

    def facts(self) -> list[EventData]:
        facts = super().facts()
        return [*self.tiers(), *facts]

    def tiers(self) -> list[TierChanged]:
        everybody = {contact.customer_id for contact in self.people}
        return [
            TierChanged(
                scheme_id=new_id(),
                scheme_key=SCHEME,
                kind="value",
                list_id=new_id(),
                cause="applied",
                from_tier=None,
                to_tier=tier,
                effective_at=self.assigned_at - timedelta(days=9),
                customers=sorted(customers),
            )
            for tier, customers in (("basic", everybody - self.gold), ("gold", self.gold))
        ]


class RefusesDrafts(httpx.ASGITransport):
    """The campaign service while it takes no new campaign."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            problem = {"type": "/problems/conflict", "title": "Conflict", "status": 409, "detail": "not now"}
            return httpx.Response(409, json=problem, request=request)
        return await super().handle_async_request(request)


@pytest.fixture
async def segments(segmentation: Running, connect: Connect) -> AsyncIterator[httpx.AsyncClient]:
    """The running segmentation service, likewise."""
    async with segmentation.client() as bare, segmentation.client(Role.strategist, staff="S0001") as client:
        connect(bare, "segmentation")
        yield client


async def test_aiming_at_tiers_drafts_a_segment_first_and_goes_on_from_there_once_the_campaign_can_be_drafted(
    evaluation: Running,
    strategist: httpx.AsyncClient,
    campaigns: httpx.AsyncClient,
    segments: httpx.AsyncClient,
    campaign: Running,
    connect: Connect,
) -> None:
    tag = new_id().hex[-8:]
    include = [f"{key}-{tag}" for key in SEGMENTS]
    for key in include:
        words = {"key": key, "name": {"zh": key, "en": key}, "definition": {"sql": "tenure_months >= 1"}}
        assert (await segments.post("/v1/segments", json=words)).status_code == 201
    name = {"zh": "等级", "en": "Tier"}
    tiers = [{"code": "basic", "name": name}, {"code": "gold", "name": name, "upgrade_at": 500_000}]
    scheme = {"key": SCHEME, "name": name, "feature": "aum", "tiers": tiers}
    assert (await segments.post("/v1/tier-schemes", json=scheme)).status_code in {201, 409}
    original = await written(campaigns, audience={"include": include, "exclude": ["complained"]})
    told = Tiered(effect=900, treated=180, held_out=120, id=UUID(original["id"]))
    advice = await advised(evaluation, strategist, told)
    assert (advice["evidence"]["rule"], advice["follow_up"]) == ("targeting-better", "draft_segment")
    (by_tier,) = [each for each in advice["policies"] if each["followed"]]
    assert (by_tier["dimension"], by_tier["cells"], by_tier["scheme"]) == ("tier", ["gold"], SCHEME)
    low, high = (float(end) for end in advice["prediction"]["ci"])
    assert low <= 900 <= high

    path = f"/v1/recommendations/{advice['id']}:accept"
    async with evaluation.client(Role.strategist, org="hq.sh") as branch:
        refused = await branch.post(path)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/head-office-only")
    async with httpx.AsyncClient(transport=RefusesDrafts(app=campaign.app), base_url="http://test") as closed:
        connect(closed)
        refused = await strategist.post(path, headers={"Idempotency-Key": tag})
        assert (refused.status_code, refused.json()["detail"]) == (
            409,
            "The campaign service refuses: not now",
        )
    page = await strategist.get("/v1/recommendations", params={"campaign_id": original["id"]})
    (half,) = page.json()["items"]
    assert (half["state"], half["created"]) == ("open", None)
    made = half["created_segment"]
    shown = (await segments.get(f"/v1/segments/{made['segment_key']}")).json()
    assert (shown["id"], shown["state"], shown["live_version"]) == (made["segment_id"], "draft", None)
    either = " or ".join(f"in_segment('{key}')" for key in include)
    assert shown["definition"]["sql"] == f"({either}) and aum >= 500000"
    assert advice["text"]["en"] in shown["description"]

    async with campaign.client() as bare, evaluation.client(Role.strategist, staff="S0002") as other:
        connect(bare)
        accepted = await other.post(path)
        assert accepted.status_code == 200, accepted.text
        assert accepted.json()["created_segment"] == made
        assert (await strategist.post(path)).json() == accepted.json()
    draft = (await campaigns.get(f"/v1/campaigns/{accepted.json()['created']['campaign_id']}")).json()
    assert draft["audience"] == {"include": [made["segment_key"]], "exclude": ["complained"], "limit": None}
    # Nobody has published the segment: the draft says so when it is submitted.
    submitted = await campaigns.post(f"/v1/campaigns/{draft['id']}:submit")
    assert "/audience/include/0" in {each["pointer"] for each in submitted.json()["errors"]}


async def test_a_stop_pauses_a_campaign_that_runs_until_somebody_resumes_it(
    evaluation: Running, strategist: httpx.AsyncClient, campaigns: httpx.AsyncClient, campaign: Running
) -> None:
    original = await written(campaigns, days_ago=2)
    path = f"/v1/campaigns/{original['id']}"
    running = (
        "UPDATE campaign SET status = 'running', submitted_by = edited_by, approved_by = 'user:checker',"
        " content_hash = 'h', approved_hash = 'h' WHERE id = :id"
    )
    async with campaign.runtime.db.transaction() as session:
        await session.execute(text(running), {"id": original["id"]})
    told = Campaign(effect=-900, treated=120, held_out=80, id=UUID(original["id"]))
    advice = await advised(evaluation, strategist, told)
    assert (advice["action"], advice["follow_up"]) == ("stop", "stop_campaign")
    accept = f"/v1/recommendations/{advice['id']}:accept"
    accepted = await strategist.post(accept, json={"note": "too dear"})
    assert accepted.status_code == 200, accepted.text
    assert (accepted.json()["stopped"], accepted.json()["created"]) == ("paused", None)
    paused = (await campaigns.get(path)).json()
    assert paused["status"] == "paused"
    assert advice["title"]["en"] in paused["status_reason"]
    assert "too dear" in paused["status_reason"]
    resumed = await campaigns.post(f"{path}:resume")
    assert resumed.json()["status"] == "running"
    # What was decided is not done again.
    assert (await strategist.post(accept)).json() == accepted.json()
    assert (await campaigns.get(path)).json()["status"] == "running"
    record = (await strategist.get("/v1/recommendations/track-record")).json()
    (kept,) = [each for each in record["stopped"] if each["campaign_id"] == original["id"]]
    assert (kept["stopped"], kept["note"]) == ("paused", "too dear")
    board = (await strategist.get("/v1/boards/strategy")).json()
    (row,) = [each for each in board["campaigns"] if each["campaign_id"] == original["id"]]
    assert row["recommendation"]["stopped"] == "paused"
    # It was never launched: nothing shall take it for running any longer.
    assert (await campaigns.post(f"{path}:abort", json={"reason": "over"})).status_code == 200
