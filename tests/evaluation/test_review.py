"""The review of a campaign over the API: real PostgreSQL, real NATS."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import numpy as np
import pytest

from shared.auth import Role
from shared.contracts.events import (
    AssignedContact,
    CampaignLaunched,
    ContactRecorded,
    EventData,
    FeedbackGiven,
    RecordedEvent,
    RegisteredArm,
)
from shared.ids import new_id
from tests.evaluation.bank import BRANCHES, Campaign
from tests.evaluation.test_desks import answered, made, walked, won
from tests.evaluation.test_loop import result_of, run
from tests.support import Running, eventually


@dataclass
class TwoVersions(Campaign):
    """Half of the treated are called with another version, which is worth 300 more to each."""

    treated: int = 200
    held_out: int = 200
    declared_hold_out: float = 0.5

    def launched(self) -> CampaignLaunched:
        told = super().launched()
        share = (1 - told.registration.hold_out) / 2
        arms = [
            RegisteredArm(key=key, share=share, offer="wealth", channel="manager_task", script=script)
            for key, script in (("call", "w@1"), ("again", "w@2"))
        ]
        return told.model_copy(update={"registration": told.registration.model_copy(update={"arms": arms})})

    def contacts(self) -> list[AssignedContact]:
        # In threes, so that both versions are in every branch and segment.
        return [
            each.model_copy(update={"arm": "again"}) if each.arm and number % 12 < 6 else each
            for number, each in enumerate(super().contacts())
        ]

    def _transactions(self, contact: AssignedContact, rng: np.random.Generator) -> list[RecordedEvent]:
        lived = super()._transactions(contact, rng)
        return [*lived, self.event(contact.customer_id, 4, 300)] if contact.arm == "again" else lived


@pytest.fixture
async def strategist(evaluation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with evaluation.client(Role.strategist) as client:
        yield client


def desks(campaign: Campaign, facts: list[EventData]) -> list[EventData]:
    """One referral won between two branches, one declined elsewhere, an opportunity, three ratings."""
    first, second = [fact for fact in facts if isinstance(fact, ContactRecorded)][:2]
    referral = made(
        new_id(), first.customer_id, contact_id=first.contact_id, from_org=BRANCHES[0], to_org=BRANCHES[1]
    )
    other = made(
        new_id(), second.customer_id, contact_id=second.contact_id, from_org=BRANCHES[2], to_org=BRANCHES[2]
    )
    return [
        referral,
        other,
        answered(referral, "accepted", 3),
        won(referral, 30, "1000.00"),
        answered(other, "rejected", 5),
        *walked(
            first.customer_id, "lead", "won", org=BRANCHES[0], contact_id=first.contact_id, won_amount="80.00"
        ),
        *(
            FeedbackGiven.model_validate(
                {
                    "feedback_id": new_id(),
                    "campaign_id": campaign.id,
                    "kind": kind,
                    "rating": rating,
                    "script": script,
                    "branch": branch,
                    "given_at": campaign.assigned_at,
                }
            )
            for kind, rating, script, branch in (
                ("script", 5, "w@2", BRANCHES[0]),
                ("script", 2, "w@1", BRANCHES[2]),
                ("list", 3, None, BRANCHES[0]),
            )
        ),
    ]


async def reviewed(client: httpx.AsyncClient, campaign: Campaign, ratings: int) -> dict[str, Any]:
    async def there() -> bool:
        answer = await client.get(f"/v1/campaigns/{campaign.id}/review")
        return sum(each["given"] for each in answer.json()["feedback"]) == ratings

    await eventually(there, what="what managers said")
    return (await client.get(f"/v1/campaigns/{campaign.id}/review")).json()


async def test_versions_of_a_script_are_measured_and_what_desks_did_is_counted(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = TwoVersions(effect=500)
    facts = campaign.facts()
    await evaluation.publish(*facts, *desks(campaign, facts), campaign.completed())
    scripts = (await result_of(strategist, campaign.id))["scripts"]
    assert [(each["script"], each["arms"], each["effect"]["n"]) for each in scripts["effects"]] == [
        ("w@1", ["call"], 98),
        ("w@2", ["again"], 102),
    ]
    for each, truth in zip(scripts["effects"], (500, 800), strict=True):
        low, high = (Decimal(end) for end in each["effect"]["ci"])
        assert low <= truth <= high
    (words,) = scripts["comparisons"]
    assert (words["script"], words["other"], words["also_differ_in"]) == ("w@1", "w@2", [])
    assert Decimal(words["ci"][0]) <= -300 <= Decimal(words["ci"][1]) < 0
    assert words["q_value"] == words["p_value"] < 0.05
    assert "by lot" in scripts["reading"]["en"]
    by_script = await strategist.get(f"/v1/campaigns/{campaign.id}/breakdown", params={"by": "script,branch"})
    rows = by_script.json()["rows"]
    assert {row["values"]["script"] for row in rows} == {"w@1", "w@2"}
    assert len(rows) == 6
    assert sum(row["n"] for row in rows) == 200

    review = await reviewed(strategist, campaign, 3)
    assert [(each["script"], each["funnel"]["reached"], each["mean"]) for each in review["scripts"]] == [
        ("w@1", 98, 2.0),
        ("w@2", 102, 5.0),
    ]
    assert [(each["kind"], each["subject"], each["ratings"]) for each in review["feedback"]] == [
        ("list", None, [0, 0, 1, 0, 0]),
        ("script", "w@1", [0, 1, 0, 0, 0]),
        ("script", "w@2", [0, 0, 0, 0, 1]),
    ]
    total = review["referrals"]["total"]
    assert (total["made"], total["accepted"], total["rejected"], total["won"]) == (2, 1, 1, 1)
    assert total["credited"] == [
        {"currency": "CNY", "amount": "1000.00", "referrer": "400.00", "receiver": "600.00"}
    ]
    (history,) = review["opportunities"]["groups"]
    assert (history["opened"], history["won"], history["won_amount"]) == (1, 1, "80.00")
    assert "not compared with the hold-out" in review["reading"]["en"]

    async with evaluation.client(Role.branch_head, org="hq.sh") as head:
        own = await reviewed(head, campaign, 2)
        assert own["referrals"]["total"]["made"] == 1
        assert sum(each["funnel"]["assigned"] for each in own["scripts"]) == 134
    async with evaluation.client(Role.branch_head, org=BRANCHES[2]) as head:
        own = await reviewed(head, campaign, 1)
        assert (own["referrals"]["total"]["rejected"], own["opportunities"]["groups"]) == (1, [])


async def test_versions_compare_without_a_hold_out_but_not_after_a_wrong_split(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    everybody = TwoVersions(effect=500, hold_out=False, treated=100, held_out=0)
    result = await run(evaluation, strategist, everybody)
    assert (result["health"]["verdict"], result["primary"]) == ("withheld", None)
    assert [each["effect"] for each in result["scripts"]["effects"]] == [None, None]
    assert result["scripts"]["comparisons"][0]["difference"] is not None
    wrong = TwoVersions(effect=500, treated=100, held_out=20)
    assert (await run(evaluation, strategist, wrong))["scripts"] is None


async def test_desks_of_the_bank_are_read_by_pair_organisation_and_period(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    person = new_id()
    pair = {"from_org": "hq.desk.east", "to_org": "hq.desk.west"}
    referral = made(new_id(), person, **pair)
    await evaluation.publish(
        referral,
        answered(referral, "lapsed", 48),
        *walked(person, "lead", "lost", org="hq.desk.west", lost_reason="price"),
    )
    async with evaluation.client(Role.branch_head, org="hq.desk.west") as head:

        async def there() -> bool:
            answer = await head.get("/v1/opportunity-history", params={"by": "org"})
            return [each["lost"] for each in answer.json()["groups"]] == [1]

        await eventually(there, what="the opportunity")
        june = {"made_from": "2026-06-01", "made_until": "2026-06-30"}
        found = (await head.get("/v1/referral-results", params=june)).json()
        assert [(each["from_org"], each["to_org"], each["lapsed"]) for each in found["pairs"]] == [
            (pair["from_org"], pair["to_org"], 1)
        ]
        assert (found["total"]["acceptance"], found["total"]["hours_to_answer"]) == (0.0, None)
        july = (await head.get("/v1/referral-results", params={"made_from": "2026-07-01"})).json()
        assert (july["total"]["made"], july["pairs"]) == (0, [])
        months = (await head.get("/v1/opportunity-history", params={"by": "month"})).json()
        assert [each["group"] for each in months["groups"]] == ["2026-06"]
        assert months["groups"][0]["lost_reasons"] == {"price": 1}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/referral-results?made_from=2026-07-01&made_until=2026-06-01", 422),
        ("/v1/opportunity-history?opened_from=2026-07-01&opened_until=2026-06-01", 422),
        ("/v1/opportunity-history?by=manager", 422),
        ("/v1/opportunity-history?currency=yuan", 422),
        ("/v1/opportunity-history?campaign_id=0192f0c5-0000-7000-8000-000000000001", 404),
        ("/v1/referral-results?campaign_id=0192f0c5-0000-7000-8000-000000000001", 404),
        ("/v1/campaigns/0192f0c5-0000-7000-8000-000000000001/review", 404),
    ],
)
async def test_what_is_asked_wrongly_is_refused(
    strategist: httpx.AsyncClient, path: str, status: int
) -> None:
    assert (await strategist.get(path)).status_code == status


async def test_managers_do_not_read_reviews(evaluation: Running) -> None:
    async with evaluation.client(Role.manager, org="hq.sh", staff="S0009") as manager:
        for path in ("referral-results", "opportunity-history", f"campaigns/{new_id()}/review"):
            assert (await manager.get(f"/v1/{path}")).status_code == 403
