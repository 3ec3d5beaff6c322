"""From a recommendation to the draft that follows it, and back to what came of it: both services run."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from shared import clock
from shared.auth import Role
from shared.contracts.events import AssignedContact, CampaignLaunched, RegisteredArm
from shared.ids import new_id
from tests.evaluation.advice_desk import Connect, advised, campaigns, connect, strategist, written
from tests.evaluation.bank import Campaign
from tests.support import Running

__all__ = ["campaigns", "connect", "strategist"]
KEPT = ("objective", "budget", "strategy")


@dataclass
class Followed(Campaign):
    """Two arms of 0.3 each; `effect` is that of calling, a message changes nothing."""

    follows: UUID | None = None

    def launched(self) -> CampaignLaunched:
        told = super().launched()
        arms = [
            RegisteredArm(key=key, share=0.3, offer="wealth", channel=channel, script=script)
            for key, channel, script in (("call", "manager_task", "w@1"), ("sms", "sms", "s@1"))
        ]
        changed = told.registration.model_copy(update={"arms": arms, "recommendation_id": self.follows})
        return told.model_copy(update={"registration": changed})

    def contacts(self) -> list[AssignedContact]:
        return [
            contact.model_copy(
                update={"arm": ("call", "sms")[number % 2], "propensity": 0.3}
                if contact.arm
                else {"propensity": 0.4}
            )
            for number, contact in enumerate(super().contacts())
        ]

    def lift(self, contact: AssignedContact) -> float:
        return self.effect if contact.arm == "call" else 0.0


class LosesAnswers(httpx.ASGITransport):
    """What is written is done, but nobody hears of it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.method == "POST":
            raise httpx.ReadTimeout("lost", request=request)
        return answer


async def shares_are_told(strategist: httpx.AsyncClient, told: Followed) -> None:
    """Of its next round, before anybody decides."""
    path = f"/v1/campaigns/{told.id}/allocation"
    shares = (await strategist.get(path)).json()
    assert (shares["hold_out"], shares["floor"]) == (0.4, 0.1)
    call, sms = shares["arms"]
    assert (call["arm"], sms["arm"], call["n"] + sms["n"]) == ("call", "sms", 300)
    assert call["share"] + sms["share"] == pytest.approx(0.6)
    assert (sms["share"], call["best"]) == (pytest.approx(0.06, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert float(sms["expected_loss"]) == pytest.approx(900, rel=0.1)
    equal = (await strategist.get(path, params={"floor": 0.5})).json()
    assert [arm["share"] for arm in equal["arms"]] == [pytest.approx(0.3), pytest.approx(0.3)]
    refused = await strategist.get(path, params={"floor": 0.6})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/floor")
    assert (await strategist.get(f"/v1/campaigns/{new_id()}/allocation")).status_code == 404


async def test_accepting_drafts_the_next_campaign_once_and_its_outcome_is_kept_beside_the_prediction(
    evaluation: Running, strategist: httpx.AsyncClient, campaigns: httpx.AsyncClient
) -> None:
    original = await written(campaigns)
    advice = await advised(
        evaluation, strategist, Followed(effect=900, treated=300, held_out=200, id=UUID(original["id"]))
    )
    assert (advice["action"], advice["outcome"]) == ("re_channel", "act")
    assert (advice["evidence"]["rule"], advice["follow_up"]) == ("channel-better", "draft_campaign")
    (channel,) = [each for each in advice["policies"] if each["action"] == "re_channel"]
    assert (channel["shares"], channel["n"]) == ({"call": pytest.approx(0.6)}, 500)
    low, high = (float(end) for end in channel["ci"])
    assert 0 < low <= 450 <= high  # half of the treated would be called instead of written to
    low, high = (float(end) for end in advice["prediction"]["ci"])
    assert low <= 900 <= high

    path = f"/v1/recommendations/{advice['id']}:accept"
    accepted = await strategist.post(path, json={"note": "next wave"})
    assert accepted.status_code == 200, accepted.text
    assert (accepted.json()["state"], accepted.json()["note"]) == ("accepted", "next wave")
    created = accepted.json()["created"]
    draft = (await campaigns.get(f"/v1/campaigns/{created['campaign_id']}")).json()
    assert (draft["status"], draft["key"]) == ("draft", created["campaign_key"])
    assert (draft["created_by"], draft["recommendation_id"]) == (original["created_by"], advice["id"])
    assert {part: draft.get(part) for part in KEPT} == {part: original.get(part) for part in KEPT}
    assert draft["audience"] == original["audience"]
    assert [(arm["key"], arm["share"]) for arm in draft["scheme"]["arms"]] == [("call", pytest.approx(0.6))]
    tomorrow = clock.today() + timedelta(days=1)
    assert draft["schedule"]["start"] == str(tomorrow)
    assert draft["schedule"]["end"] == str(tomorrow + timedelta(days=20))

    async with evaluation.client(Role.strategist, staff="S0002") as other:
        for client in (strategist, other):
            again = await client.post(path)
            assert (again.status_code, again.json()) == (200, accepted.json())
        rejected = await other.post(f"/v1/recommendations/{advice['id']}:reject")
        assert rejected.status_code == 409
    listed = await campaigns.get("/v1/campaigns", params={"recommendation_id": advice["id"]})
    assert [each["id"] for each in listed.json()["items"]] == [created["campaign_id"]]

    record = (await strategist.get("/v1/recommendations/track-record")).json()
    assert record["waiting"] >= record["not_launched"] >= 1
    later = Followed(
        effect=900,
        treated=300,
        held_out=200,
        seed=5,
        id=UUID(created["campaign_id"]),
        follows=UUID(advice["id"]),
    )
    following = await advised(evaluation, strategist, later)
    record = (await strategist.get("/v1/recommendations/track-record")).json()
    (kept,) = [each for each in record["items"] if each["recommendation_id"] == advice["id"]]
    # The follow-up messaged half of its customers again, against the advice: it realised half of it.
    assert (kept["predicted"], kept["action"]) == (advice["prediction"]["value"], "re_channel")
    assert float(kept["realised"]) / float(kept["predicted"]) == pytest.approx(kept["ratio"])
    assert kept["inside"] is False
    (of_action,) = [each for each in record["by_action"] if each["action"] == "re_channel"]
    assert of_action["n"] >= 1
    assert record["overall"]["n"] == len(record["items"])

    path = f"/v1/recommendations/{following['id']}"
    rejected = await strategist.post(f"{path}:reject", json={"note": "no"})
    assert (rejected.json()["state"], rejected.json()["note"], rejected.json()["created"]) == (
        "rejected",
        "no",
        None,
    )
    assert (await strategist.post(f"{path}:accept")).status_code == 409
    assert (await strategist.post(f"/v1/recommendations/{new_id()}:reject")).status_code == 404


async def test_a_campaign_service_that_is_away_or_refuses_leaves_the_recommendation_open(
    evaluation: Running,
    strategist: httpx.AsyncClient,
    campaigns: httpx.AsyncClient,
    campaign: Running,
    connect: Connect,
) -> None:
    original = await written(campaigns)
    told = Followed(effect=900, treated=300, held_out=200, id=UUID(original["id"]))
    advice = await advised(evaluation, strategist, told)
    await shares_are_told(strategist, told)
    path = f"/v1/recommendations/{advice['id']}"
    async with evaluation.client(Role.branch_head, org="hq.sh") as head:
        assert (await head.post(f"{path}:accept")).status_code == 403

    async def still_open() -> bool:
        page = await strategist.get("/v1/recommendations", params={"campaign_id": original["id"]})
        return [each["state"] for each in page.json()["items"]] == ["open"]

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    def unknown(request: httpx.Request) -> httpx.Response:
        if "recommendation_id" in request.url.params:
            return httpx.Response(200, json={"items": []})
        return httpx.Response(404, json={"type": "/problems/not-found", "title": "Not found", "status": 404})

    async with httpx.AsyncClient(transport=httpx.MockTransport(unknown), base_url="http://other") as other:
        connect(other)
        answer = await strategist.post(f"{path}:accept")
        assert (answer.status_code, await still_open()) == (404, True)
    async with httpx.AsyncClient(transport=httpx.MockTransport(away), base_url="http://away") as nobody:
        connect(nobody)
        answer = await strategist.post(f"{path}:accept")
        assert (answer.status_code, await still_open()) == (503, True)
        assert "campaign service does not answer" in answer.json()["detail"]
    async with campaign.client(key=campaign.servers.api_key()) as bare:
        connect(bare)
        # A branch sees the campaign, and may not draft for the whole bank: nor does the service's own key.
        async with evaluation.client(Role.strategist, org="hq.sh") as branch:
            answer = await branch.post(f"{path}:accept")
            assert (answer.status_code, await still_open()) == (403, True)
            assert answer.json()["errors"][0]["pointer"] == "/people/orgs/0"
    lossy = httpx.AsyncClient(transport=LosesAnswers(app=campaign.app), base_url="http://test")
    async with lossy:
        connect(lossy)
        answer = await strategist.post(f"{path}:accept")
        assert (answer.status_code, await still_open()) == (503, True)
    async with (
        campaign.client() as bare,
        evaluation.client(Role.strategist, staff="S0002") as other,
    ):
        connect(bare)
        accepted = await other.post(f"{path}:accept")
        assert accepted.status_code == 200, accepted.text
    listed = await campaigns.get("/v1/campaigns", params={"recommendation_id": advice["id"]})
    (draft,) = listed.json()["items"]
    assert draft["id"] == accepted.json()["created"]["campaign_id"]
