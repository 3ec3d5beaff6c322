"""An optimisation through the API: the plan, its limits, its reasons, and who may see it."""

from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from services.campaign.domain.split import GLOBAL_SALT, position, salt_of, slot_of, slots
from services.campaign.models import Optimisation
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.optimisations import run_optimisation
from shared.auth import Role
from shared.contracts.campaign import Arm
from shared.db import Job
from shared.ids import new_id
from shared.jobs import CancelledJobError, JobRun
from tests.campaign.conftest import SEGMENT, Bank, a_customer, a_scheme, an_arm, campaign_body
from tests.support import eventually

TIER = "tier-private"


@pytest.fixture
async def market(empty_bank: Bank) -> tuple[Bank, list[str]]:
    """120 customers of 20 managers, and two drafts that want them all; the first sixty are in a tier."""
    people = [a_customer(number) for number in range(120)]
    people[3] = a_customer(3, consents={})
    await empty_bank.add_customers(people)
    ids = [state.customer_id for state in people]
    await empty_bank.add_segment(SEGMENT, ids)
    await empty_bank.add_segment(TIER, ids[:60])
    return empty_bank, [await draft(empty_bank) for _ in range(2)]


async def draft(bank: Bank, **changes: Any) -> str:
    async with bank.strategist() as author:
        made = await author.post("/v1/campaigns", json=campaign_body(**changes))
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


def asked(campaigns: list[str], **changes: Any) -> dict[str, Any]:
    terms = [{"campaign_id": each, "response_rate": 0.02} for each in campaigns]
    return {"name": "December", "campaigns": terms, "minutes_per_manager": 18, **changes}


async def optimised(bank: Bank, body: dict[str, Any]) -> dict[str, Any]:
    async with bank.strategist() as author:
        answer = await author.post("/v1/optimisations", json=body)
        assert answer.status_code == 202, answer.text
        path = f"/v1/optimisations/{answer.json()['id']}"
        assert answer.headers["location"] == f"/v1/jobs/{answer.json()['job_id']}"

        async def done() -> bool:
            state = (await author.get(path)).json()
            assert state["state"] != "failed", state
            return bool(state["state"] == "succeeded")

        await eventually(done, what="the optimisation")
    found: dict[str, Any] = await bank.get(path)
    return found


async def test_scarce_minutes_go_to_the_customers_worth_most(market: tuple[Bank, list[str]]) -> None:
    bank, (first, second) = market
    body = asked([first, second])
    body["campaigns"][0]["by_segment"] = [{"segment": TIER, "response_rate": 0.2}]
    found = await optimised(bank, body | {"contacts_per_customer": 1})
    result = found["result"]
    chosen = await bank.all_of(f"/v1/optimisations/{found['id']}/contacts")
    tier = {str(state.customer_id) for state in bank.customers[:60]}
    assert len(chosen) == result["contacts"] == sum(each["contacts"] for each in result["campaigns"])
    assert max(Counter(each["manager"] for each in chosen).values()) == 3
    assert max(Counter(each["customer_id"] for each in chosen).values()) == 1
    # Each manager has six customers and time for three; of the tier there are three or fewer.
    in_tier = [each for each in chosen if each["customer_id"] in tier]
    assert {each["campaign_id"] for each in in_tier} == {first}
    assert {round(each["value"], 4) for each in in_tier} == {round(0.9 * 860 * 0.2, 4)}
    refused = sum(1 for each in result["campaigns"] if each["contactable"] < each["audience"])
    assert refused == 2
    assert result["value"] == pytest.approx(sum(each["value"] for each in chosen))
    assert result["bound"] >= result["value"]
    assert result["gap"] < 0.003
    assert result["minutes"] == 6 * len(chosen)
    assert result["currency"] == "CNY"
    price = next(each for each in result["prices"] if each["kind"] == "manager_minutes")
    assert f"{price['price']:,.2f} CNY" in price["sentence"]["en"]
    managers = await bank.all_of(f"/v1/optimisations/{found['id']}/managers")
    assert sum(each["contacts"] for each in managers) == len(chosen)
    assert all(each["minutes"] <= 18 for each in managers)
    mine = await bank.all_of(f"/v1/optimisations/{found['id']}/contacts", manager=chosen[0]["manager"])
    assert {each["manager"] for each in mine} == {chosen[0]["manager"]}


async def test_each_customer_learns_why(market: tuple[Bank, list[str]]) -> None:
    bank, campaigns = market
    found = await optimised(bank, asked(campaigns, contacts_per_customer=1))
    path = f"/v1/optimisations/{found['id']}"
    chosen = await bank.all_of(f"{path}/contacts")
    said: Counter[str] = Counter()
    looked = bank.customers[:40]
    for state in looked:
        options = (await bank.get(f"{path}/customers/{state.customer_id}"))["options"]
        assert [each["campaign_id"] for each in options] == campaigns
        said.update(each["why"] for each in options)
        if state is bank.customers[3]:
            assert {(each["why"], each["value"]) for each in options} == {("consent", None)}
        if any(each["why"] == "chosen" for each in options):
            assert sorted(each["why"] for each in options) == ["chosen", "customer_limit"]
    seen = {str(state.customer_id) for state in looked} & {each["customer_id"] for each in chosen}
    assert said["chosen"] == len(seen) == said["customer_limit"]
    assert said["manager_minutes"] > 0


async def test_quotas_capacity_and_budget_hold_and_a_minimum_out_of_reach_is_told(
    market: tuple[Bank, list[str]],
) -> None:
    bank, (first, second) = market
    body = asked([first, second], channel_capacity={"manager_task": 30}, budget="225.00")
    body["campaigns"][0] |= {"maximum": 4, "response_rate": 0.5}
    body["campaigns"][1] |= {"minimum": 28}
    result = (await optimised(bank, body))["result"]
    shares = result["campaigns"]
    # A contact costs 9.00: the budget pays for 25.
    assert result["contacts"] == 25
    assert result["cost"] <= 225
    assert [each["contacts"] for each in shares] == [0, 25]
    assert [each["missing"] for each in shares] == [0, 3]
    body["campaigns"][1]["minimum"] = 5
    result = (await optimised(bank, body))["result"]
    assert [each["contacts"] for each in result["campaigns"]] == [4, 21]
    kinds = {(each["kind"], each["key"]) for each in result["prices"]}
    assert ("budget", None) in kinds
    assert ("quota_maximum", shares[0]["key"]) in kinds


async def test_contacts_they_had_count_against_customers(market: tuple[Bank, list[str]]) -> None:
    bank, campaigns = market
    await bank.launched(scheme=a_scheme(an_arm("call", 1.0), hold_out=0))
    result = (await optimised(bank, asked(campaigns, contacts_per_customer=1)))["result"]
    assert result["contacts"] == 0
    again = (await optimised(bank, asked(campaigns, contacts_per_customer=2)))["result"]
    assert again["contacts"] > 0


async def test_what_cannot_compete_is_named(market: tuple[Bank, list[str]]) -> None:
    bank, (first, second) = market
    incomplete = await draft(bank, audience=None)
    launched = await bank.launched()
    waiting = await draft(bank, audience={"include": [SEGMENT], "trigger": {"segment": SEGMENT}})
    body = asked([first, incomplete, launched, str(new_id()), waiting], minutes={"pigeon": 1})
    body["campaigns"][0] |= {
        "minimum": 5,
        "maximum": 2,
        "by_segment": [{"segment": "nobody", "response_rate": 1}],
    }
    async with bank.strategist() as author:
        answer = await author.post("/v1/optimisations", json=body)
        twice = await author.post("/v1/optimisations", json=asked([second, second]))
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/campaigns/0/maximum",
        "/campaigns/0/by_segment/0/segment",
        "/campaigns/1/campaign_id",
        "/campaigns/2/campaign_id",
        "/campaigns/3/campaign_id",
        "/campaigns/4/campaign_id",
        "/minutes/pigeon",
    ]
    assert twice.status_code == 422


async def test_a_branch_weighs_and_sees_its_own_customers(market: tuple[Bank, list[str]]) -> None:
    bank, campaigns = market
    async with bank.client(Role.strategist, org="hq.sh.pudong", staff="P1") as author:
        asked_for = await author.post("/v1/optimisations", json=asked(campaigns))
        assert asked_for.status_code == 202, asked_for.text
        path = f"/v1/optimisations/{asked_for.json()['id']}"

        async def done() -> bool:
            return bool((await author.get(path)).json()["state"] == "succeeded")

        await eventually(done, what="the optimisation")
        chosen = (await author.get(f"{path}/contacts", params={"limit": 1000})).json()["items"]
        assert chosen
        assert {each["branch"] for each in chosen} == {"hq.sh.pudong"}
        elsewhere = next(state for state in bank.customers if state.org != "hq.sh.pudong")
        hidden = await author.get(f"{path}/customers/{elsewhere.customer_id}")
        assert hidden.status_code == 404
    async with bank.client(Role.auditor, org="hq.sh.jingan", staff="J1") as other:
        assert (await other.get(path)).status_code == 404
        assert (await other.get(f"{path}/contacts")).status_code == 404
        assert (await other.get("/v1/optimisations")).json()["items"] == []
    async with bank.client(Role.manager, org="hq.sh.pudong", staff="PUDONG-1") as manager:
        assert (await manager.get(path)).status_code == 403


async def test_a_run_begins_again_and_stays_once_it_is_kept(market: tuple[Bank, list[str]]) -> None:
    bank, campaigns = market
    found = await optimised(bank, asked(campaigns))
    before = await bank.all_of(f"/v1/optimisations/{found['id']}/contacts")
    runtime = bank.campaign.runtime
    job = JobRun(UUID(found["job_id"]), {"optimisation_id": found["id"]}, "user:t", runtime)
    told = await run_optimisation(job, CampaignSettings())
    assert told == {"optimisation_id": found["id"]}
    # As after a worker that was killed: running, and nothing kept.
    other = new_id()
    async with runtime.db.transaction() as session:
        row = await session.get_one(Optimisation, UUID(found["id"]))
        values = {name: getattr(row, name) for name in ("name", "org_path", "request", "job_id")}
        session.add(
            Optimisation(
                id=other, state="running", created_at=row.created_at, created_by=row.created_by, **values
            )
        )
    await run_optimisation(
        JobRun(job.id, {"optimisation_id": str(other)}, "user:t", runtime), CampaignSettings()
    )
    again = await bank.all_of(f"/v1/optimisations/{other}/contacts")
    assert len(again) == len(before)
    assert (await bank.get(f"/v1/optimisations/{found['id']}"))["result"] == found["result"]


async def test_a_cancelled_run_keeps_nothing(market: tuple[Bank, list[str]]) -> None:
    bank, campaigns = market
    found = await optimised(bank, asked(campaigns))
    runtime, other = bank.campaign.runtime, new_id()
    async with runtime.db.transaction() as session:
        row = await session.get_one(Optimisation, UUID(found["id"]))
        job = await session.get_one(Job, UUID(found["job_id"]))
        job.cancel_requested = True
        values = {name: getattr(row, name) for name in ("name", "org_path", "request", "job_id")}
        session.add(
            Optimisation(
                id=other, state="queued", created_at=row.created_at, created_by=row.created_by, **values
            )
        )
    with pytest.raises(CancelledJobError):
        await run_optimisation(
            JobRun(job.id, {"optimisation_id": str(other)}, "user:t", runtime), CampaignSettings()
        )
    assert (await bank.get(f"/v1/optimisations/{other}"))["state"] == "cancelled"
    async with bank.strategist() as author:
        assert (await author.get(f"/v1/optimisations/{other}/contacts")).status_code == 409


async def applied(bank: Bank, found: dict[str, Any]) -> dict[str, Any]:
    async with bank.strategist() as author:
        answer = await author.post(f"/v1/optimisations/{found['id']}:apply")
        assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_launch_contacts_whom_the_run_chose_and_nobody_else(market: tuple[Bank, list[str]]) -> None:
    bank, campaigns = market
    found = await optimised(bank, asked(campaigns, contacts_per_customer=1))
    told = await applied(bank, found)
    assert [each["campaign_id"] for each in told["bound"]] == sorted(campaigns)
    contacts = await bank.all_of(f"/v1/optimisations/{found['id']}/contacts", campaign_id=campaigns[0])
    chosen = {UUID(each["customer_id"]) for each in contacts}
    assert (await bank.get(f"/v1/campaigns/{campaigns[0]}"))["optimisation"]["contacts"] == len(chosen)
    people = {state.customer_id: state for state in bank.customers}
    # Whoever never agreed is left out by that rule, held out of all campaigns or not.
    without = bank.customers[3].customer_id
    left = [one for one in people if one not in chosen | {without}]
    # Since the run: one of the chosen said no, another turned out to be somebody else's file, and one came.
    refusing, merged = sorted(chosen)[:2]
    survivor = next(one for one in left if _may(one))
    late = next(each for each in (a_customer(200 + n) for n in range(50)) if _may(each.customer_id))
    changed = [
        people[refusing].model_copy(update={"version": 2, "consents": {}}),
        people[merged].model_copy(update={"version": 2, "status": "merged", "merged_into": survivor}),
        late,
    ]
    await bank.add_customers(changed)
    await bank.add_segment(SEGMENT, [each.customer_id for each in bank.customers[:-3]] + [late.customer_id])
    async with bank.strategist() as author:
        simulated = (await author.post(f"/v1/campaigns/{campaigns[0]}:simulate")).json()
    await bank.launch_draft(campaigns[0])
    lines = {
        UUID(each["customer_id"]): each for each in await bank.all_of(f"/v1/campaigns/{campaigns[0]}/ledger")
    }
    cut = slots(0.1, [Arm.model_validate(an_arm("call", 0.9))])
    drawn = Counter[str]()
    for one in (chosen - {refusing, merged}) | {survivor}:
        slot = slot_of(position(salt_of("arm", UUID(campaigns[0])), one), cut)
        assert (lines[one]["arm"], lines[one]["propensity"]) == (slot.arm, slot.propensity)
        drawn[lines[one]["state"]] += 1
    assert lines[refusing]["reason"] == "consent"
    assert lines[merged]["reason"] == "merged"
    assert lines[without]["reason"] == "consent"
    assert lines[late.customer_id]["reason"] == "not_chosen"
    assert lines[late.customer_id]["evidence"] == {"optimisation": found["id"]}
    assert {lines[one]["reason"] for one in left if _may(one)} - {None} == {"not_chosen"}
    assert {lines[one]["reason"] for one in left if not _may(one)} <= {"global_hold_out"}
    progress = await bank.get(f"/v1/campaigns/{campaigns[0]}/progress")
    assert progress["balanced"], progress["imbalances"]
    assert simulated["suppressed"] == progress["ledger"]["suppressed"]
    assert (progress["ledger"]["held_out"], progress["ledger"]["assigned"]) == (
        drawn["held_out"],
        drawn["assigned"],
    )
    assert simulated["hold_out"] == drawn["held_out"]
    worth = sum(each["value"] for each in contacts if UUID(each["customer_id"]) != refusing)
    assert simulated["expected_value"]["customers"] == drawn.total()
    assert float(simulated["expected_value"]["amount"]) == pytest.approx(worth, abs=0.01)


def _may(customer: UUID) -> bool:
    return position(GLOBAL_SALT, customer) >= CampaignSettings().global_hold_out


async def test_a_run_is_applied_to_what_it_weighed_only(market: tuple[Bank, list[str]]) -> None:
    bank, (first, second) = market
    found = await optimised(bank, asked([first, second]))
    path = f"/v1/optimisations/{found['id']}"
    async with bank.strategist() as author:
        version = (await author.get(f"/v1/campaigns/{second}")).headers["etag"]
        edited = await author.patch(
            f"/v1/campaigns/{second}",
            json={"budget": {"amount": "9.00"}},
            headers={"If-Match": version},
        )
        assert edited.status_code == 200, edited.text
        refused = await author.post(f"{path}:apply")
        assert refused.status_code == 409, refused.text
        assert refused.json()["type"].endswith("stale-run")
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/campaigns/1/campaign_id"]
        assert (await author.get(path)).json()["bound"] == []
        assert (await author.post(f"{path}:unbind")).status_code == 409
        assert (await author.get(f"/v1/campaigns/{first}")).json()["optimisation"] is None
        again = await optimised(bank, asked([first, second]))
        await bank.launch_draft(first)
        late = await author.post(f"/v1/optimisations/{again['id']}:apply")
    assert [error["detail"].split(" is ")[-1] for error in late.json()["errors"]] == ["running already"]
    async with bank.client(Role.strategist, org="hq.sh.pudong", staff="P1") as author:
        made = await author.post("/v1/optimisations", json=asked([second]))
        own = f"/v1/optimisations/{made.json()['id']}"

        async def done() -> bool:
            return bool((await author.get(own)).json()["state"] == "succeeded")

        await eventually(done, what="the optimisation")
        assert (await author.post(f"{own}:apply")).status_code == 403
    async with bank.strategist() as author:
        narrow = await author.post(f"{own}:apply")
    assert narrow.status_code == 409
    assert "reaches beyond hq.sh.pudong" in narrow.json()["errors"][0]["detail"]


async def test_a_choice_is_content_that_is_approved_and_can_be_taken_back(
    market: tuple[Bank, list[str]],
) -> None:
    bank, _ = market
    campaign_id = await bank.approved()
    path = f"/v1/campaigns/{campaign_id}"
    before = await bank.get(path)
    found = await optimised(bank, asked([campaign_id]))
    await applied(bank, found)
    bound = await bank.get(path)
    assert (bound["status"], bound["approved_by"], bound["content_hash"]) == ("draft", None, None)
    async with bank.strategist() as author, bank.approver() as checker:
        submitted = (await author.post(f"{path}:submit")).json()
        assert submitted["content_hash"] != before["content_hash"]
        approved = (await checker.post(f"{path}:approve", json={})).json()
        assert approved["status"] == "approved"
        # What is bound already stays as it is, approval and all.
        await applied(bank, found)
        assert (await bank.get(path))["status"] == "approved"
        changed = await author.patch(
            path, json={"name": {"zh": "新", "en": "New"}}, headers={"If-Match": f'"{approved["version"]}"'}
        )
        assert changed.status_code == 200, changed.text
        stale = await author.post(f"{path}:submit")
        assert [error["pointer"] for error in stale.json()["errors"]] == ["/optimisation"]
        freed = await author.post(f"/v1/optimisations/{found['id']}:unbind")
        assert (freed.status_code, freed.json()["bound"]) == (200, [])
        assert (await author.post(f"{path}:submit")).status_code == 200
        forged = await author.post("/v1/campaigns", json=campaign_body(optimisation=bound["optimisation"]))
        assert forged.status_code == 422
    assert (await bank.get(path))["optimisation"] is None
