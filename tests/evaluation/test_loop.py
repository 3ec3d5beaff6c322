"""From events on the streams to result, recommendation and boards: real PostgreSQL, real NATS."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import select, text, update

from services.evaluation.domain.catalogue import NET_INFLOW
from services.evaluation.jobs import defer_due
from services.evaluation.models import Course, RecommendationRow, Registration
from shared import clock
from shared.auth import Role
from shared.contracts.events import CampaignPaused, CampaignResumed
from shared.db import Outbox
from shared.ids import new_id
from tests.evaluation.bank import BRANCHES, Campaign
from tests.support import Running, eventually


@pytest.fixture
async def strategist(evaluation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with evaluation.client(Role.strategist) as client:
        yield client


async def run(evaluation: Running, client: httpx.AsyncClient, campaign: Campaign) -> dict[str, Any]:
    """Tell the campaign's story and wait for its result."""
    await evaluation.publish(*campaign.facts(), campaign.completed())
    return await result_of(client, campaign.id)


async def result_of(client: httpx.AsyncClient, campaign_id: UUID) -> dict[str, Any]:
    async def there() -> bool:
        return (await client.get(f"/v1/campaigns/{campaign_id}/result")).status_code == 200

    await eventually(there, what="a result")
    return (await client.get(f"/v1/campaigns/{campaign_id}/result")).json()


async def registered(evaluation: Running, campaign: Campaign) -> None:
    async def there() -> bool:
        async with evaluation.runtime.db.transaction() as session:
            return await session.get(Registration, campaign.id) is not None

    await eventually(there, what="the registration")


async def ended(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = {}

    async def over() -> bool:
        job.update((await client.get(answer.headers["Location"])).json())
        return job["state"] in {"succeeded", "failed"}

    await eventually(over, what="the job")
    return job


async def test_completion_evaluates_against_the_hold_out(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(effect=500)
    result = await run(evaluation, strategist, campaign)
    assert result["health"]["verdict"] == "ok"
    assert result["matured"] == 1.0
    overall = result["primary"]["overall"]
    assert (overall["n"], overall["n_hold_out"]) == (600, 400)
    low, high = (Decimal(end) for end in overall["ci"])
    assert low <= 500 <= high
    assert overall["method"] == "welch+cuped"
    assert overall["cuped"]["variance_reduction"] > 0.5
    within = result["primary"]["post_stratified"]
    assert (within["method"], within["n"]) == ("post-stratified+cuped", 600)
    assert Decimal(within["difference"]) == pytest.approx(Decimal(overall["difference"]), abs=10)
    money = result["money"]
    assert Decimal(money["incremental"]) == pytest.approx(Decimal(overall["difference"]) * 600, abs=5)
    assert (money["contact_cost"], money["contacts"], money["minutes"]) == ("3600.00", 600, "2400.0")
    assert {row["values"]["branch"] for row in result["breakdown"] if row["dimension"] == "branch"} == set(
        BRANCHES
    )
    assert all(row["q_value"] is not None for row in result["breakdown"])
    assert [found["metric"] for found in result["guardrails"]] == ["complaints_30d", "opt_outs_30d"]
    assert len(result["method"]["input_hash"]) == 64


async def test_one_recommendation_and_one_event_per_result(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(effect=500)
    result = await run(evaluation, strategist, campaign)
    page = (await strategist.get("/v1/recommendations", params={"campaign_id": str(campaign.id)})).json()
    (advice,) = page["items"]
    assert advice["id"] == result["recommendation_id"]
    assert (advice["action"], advice["outcome"]) == ("continue", "act")
    assert advice["evidence"]["rule"] == "effect-positive"
    assert advice["evidence"]["difference"] == result["primary"]["overall"]["difference"]
    assert "30天净流入" in advice["text"]["zh"]
    alone = await strategist.get(f"/v1/campaigns/{campaign.id}/allocation")
    assert (alone.status_code, alone.json()["type"]) == (409, "/problems/nothing-to-allocate")
    events = await published(evaluation, campaign)
    assert [event["type"] for event in events] == [
        "huanying.evaluation.campaign_evaluated.v1",
        "huanying.evaluation.recommendation_issued.v1",
    ]
    assert events[0]["data"]["effects"][-1]["arm"] == "all"
    assert events[1]["data"]["evidence"]["n"] == 600


async def published(evaluation: Running, campaign: Campaign) -> list[dict[str, Any]]:
    async with evaluation.runtime.db.transaction() as session:
        statement = (
            select(Outbox.payload).where(Outbox.subject.endswith(str(campaign.id))).order_by(Outbox.seq)
        )
        return [orjson.loads(payload) for payload in await session.scalars(statement)]


async def test_evaluating_again_supersedes_and_the_same_input_has_the_same_hash(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(effect=0)
    first = await run(evaluation, strategist, campaign)
    answer = await strategist.post(
        f"/v1/campaigns/{campaign.id}:evaluate", json={"primary_metric": campaign.primary}
    )
    job = await ended(strategist, answer)
    assert job["state"] == "succeeded", job
    assert job["result"]["result"] == f"/v1/campaigns/{campaign.id}/result"
    second = await result_of(strategist, campaign.id)
    assert second["id"] == job["result"]["result_id"] != first["id"]
    assert second["method"]["input_hash"] == first["method"]["input_hash"]
    assert second["primary"] == first["primary"]
    listed = await strategist.get("/v1/recommendations", params={"campaign_id": str(campaign.id)})
    assert [item["state"] for item in listed.json()["items"]] == ["open", "superseded"]


async def test_another_metric_cannot_become_primary_afterwards(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(treated=3, held_out=2)
    await evaluation.publish(campaign.launched())
    await registered(evaluation, campaign)
    answer = await strategist.post(
        f"/v1/campaigns/{campaign.id}:evaluate", json={"primary_metric": "txn_count_30d"}
    )
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/registered-otherwise"
    registration = (await strategist.get(f"/v1/campaigns/{campaign.id}/registration")).json()
    assert registration["primary_metric"] == "net_inflow_30d"


async def test_the_database_refuses_to_change_a_registration(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(treated=3, held_out=2)
    await evaluation.publish(campaign.launched())
    await registered(evaluation, campaign)
    with pytest.raises(Exception, match="a registration never changes"):
        async with evaluation.runtime.db.transaction() as session:
            await session.execute(update(Registration).values(key="other"))


async def test_a_wrong_split_withholds_the_verdict(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(effect=500, declared_hold_out=0.1)
    result = await run(evaluation, strategist, campaign)
    assert result["health"]["verdict"] == "withheld"
    assert result["primary"] is None
    assert result["money"] is None
    assert result["breakdown"] == []
    assert [error["at"] for error in result["errors"]] == ["health/srm"]
    now = (await strategist.get(f"/v1/campaigns/{campaign.id}/health")).json()
    srm = next(check for check in now["checks"] if check["check"] == "srm")
    assert (now["verdict"], srm["ok"]) == ("withheld", False)
    assert srm["observed"] == {"call": 600, "hold_out": 400}
    rows = (await strategist.get(f"/v1/campaigns/{campaign.id}/breakdown")).json()["rows"]
    assert rows == []
    board = (await strategist.get(f"/v1/boards/campaigns/{campaign.id}")).json()
    assert board["recommendation"]["evidence"]["rule"] == "verdict-withheld"
    assert board["recommendation"]["outcome"] == "no_evidence"


async def test_without_a_hold_out_nothing_is_claimed(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(effect=500, hold_out=False)
    result = await run(evaluation, strategist, campaign)
    assert result["health"]["verdict"] == "withheld"
    assert result["primary"] is None
    advice = (await strategist.get(f"/v1/boards/campaigns/{campaign.id}")).json()["recommendation"]
    assert (advice["evidence"]["rule"], advice["action"]) == ("no-hold-out", "extend")


async def test_open_windows_give_no_effect_and_a_date_for_the_next_look(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(days_ago=10)
    result = await run(evaluation, strategist, campaign)
    assert result["matured"] == 0.0
    assert result["health"]["verdict"] == "withheld"
    assert [error["at"] for error in result["errors"]] == ["health/outcomes"]
    async with evaluation.runtime.db.transaction() as session:
        course = await session.get_one(Course, campaign.id)
        assert course.due_at is not None
        assert (course.due_at - campaign.assigned_at).days == 31
        course.due_at = clock.now()

    async def evaluated_again() -> bool:
        return (await result_of(strategist, campaign.id))["id"] != result["id"]

    await eventually(evaluated_again, what="the evaluation that was due")
    async with evaluation.runtime.db.transaction() as session:
        assert campaign.id not in await defer_due(evaluation.runtime)


async def test_a_metric_unknown_at_launch_is_an_error_not_an_effect(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(treated=60, held_out=40, guardrails=("complaints_30d", "nobody_defined_this"))
    result = await run(evaluation, strategist, campaign)
    assert {"at": "guardrail/nobody_defined_this", "code": "undefined"}.items() <= result["errors"][
        -1
    ].items()
    unknown = Campaign(treated=3, held_out=2, primary="nobody_defined_this")
    await evaluation.publish(unknown.launched())
    await registered(evaluation, unknown)
    assert (await strategist.post(f"/v1/campaigns/{unknown.id}:evaluate")).status_code == 409


async def test_a_metric_with_a_unit_contribution_states_the_return(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    """Half of what came in was taken out of another product, which contributed 0.05 of it."""
    key, taken = f"inflow-{new_id().hex[-12:]}", f"taken-{new_id().hex[-12:]}"
    metric = NET_INFLOW.model_dump(mode="json")
    out = {"events": [{**each, "sign": -each["sign"]} for each in metric["source"]["events"]]}
    economics = {"margin": "0.36", "days": 146, "expected_loss": "0.11"}
    eater = {**metric, "key": key, "economics": economics, "cannibalises": [taken]}
    refused = await strategist.post("/v1/metrics", json=eater)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/cannibalises/0")
    eaten = {**metric, "key": taken, "unit_contribution": "0.05", "source": out}
    for definition in (eaten, eater):
        assert (await strategist.post("/v1/metrics", json=definition)).status_code == 201
    campaign = Campaign(effect=500, primary=key)
    result = await run(evaluation, strategist, campaign)
    money = result["money"]
    assert (await strategist.get(f"/v1/campaigns/{campaign.id}/money")).json() == money
    incremental, contribution = Decimal(money["incremental"]), Decimal(money["incremental_contribution"])
    assert contribution == pytest.approx(incremental * (Decimal("0.1") - Decimal("0.05")), abs=1)
    parts = {(part["metric"], part["part"]): Decimal(part["amount"]) for part in money["parts"]}
    assert parts[key, "margin"] == pytest.approx(incremental * Decimal("0.144"), abs=1)
    assert parts[key, "expected_loss"] == pytest.approx(incremental * Decimal("-0.044"), abs=1)
    assert parts[taken, "contribution"] == pytest.approx(incremental * Decimal("-0.05"), abs=1)
    assert sum(parts.values()) == pytest.approx(contribution, abs=1)
    assert Decimal(money["contribution_ci"][0]) < contribution < Decimal(money["contribution_ci"][1])
    assert Decimal(money["net"]) == contribution - 3600
    assert money["roi"] == pytest.approx(float(contribution / 3600 - 1), rel=1e-3)
    assert (money["payback_days"] is None) == (contribution < 3600)


async def test_boards_draw_one_campaign_and_all(evaluation: Running, strategist: httpx.AsyncClient) -> None:
    campaign = Campaign(effect=500)
    await run(evaluation, strategist, campaign)
    board = (await strategist.get(f"/v1/boards/campaigns/{campaign.id}")).json()
    assert board["campaign"]["state"] == "completed"
    assert board["campaign"]["progress"] == {
        "assigned": 600,
        "hold_out": 400,
        "contacted": 600,
        "share": 1.0,
        "minutes": "2400.0",
        "contact_cost": "3600.00",
    }
    assert board["funnel"]["targeted"] == 1007
    assert board["funnel"]["treated"] == {
        "assigned": 600,
        "contacted": 600,
        "reached": 600,
        "responded": 600,
        "converted": 0,
        "retained": 0,
    }
    assert board["funnel"]["hold_out"] == {
        "assigned": 400,
        "contacted": 0,
        "reached": 0,
        "responded": 0,
        "converted": 0,
        "retained": 0,
    }
    assert board["funnel"]["retained_days"] == 30
    strategy = (await strategist.get("/v1/boards/strategy")).json()
    (mine,) = [item for item in strategy["campaigns"] if item["campaign_id"] == str(campaign.id)]
    assert mine["effect"]["verdict"] == "ok"
    assert mine["target_reached"] == pytest.approx(float(mine["effect"]["incremental"]) / 100_000, rel=1e-6)
    assert mine["recommendation"]["action"] == "continue"
    assert strategy["totals"]["completed"] >= 1


async def test_pause_and_resume_show_until_the_campaign_is_complete(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(treated=3, held_out=2)
    at = campaign.assigned_at

    async def state_is(expected: str) -> None:
        async def holds() -> bool:
            answer = await strategist.get(f"/v1/boards/campaigns/{campaign.id}")
            return answer.status_code == 200 and answer.json()["campaign"]["state"] == expected

        await eventually(holds, what=f"state {expected}")

    await evaluation.publish(campaign.launched(), CampaignPaused(campaign_id=campaign.id, at=at))
    await state_is("paused")
    await evaluation.publish(CampaignResumed(campaign_id=campaign.id, at=at))
    await state_is("running")
    await evaluation.publish(campaign.completed(), CampaignPaused(campaign_id=campaign.id, at=at))
    await state_is("completed")


async def test_a_branch_head_sees_the_cells_of_his_organisation_only(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(effect=500)
    await run(evaluation, strategist, campaign)
    path = f"/v1/campaigns/{campaign.id}"
    told = {"dimension": "branch", "n": 200, "difference": "1.00", "ci": ["0.50", "1.50"], "q_value": 0.01}
    async with evaluation.runtime.db.transaction() as session:
        row = (await session.scalars(select(RecommendationRow).filter_by(campaign_id=campaign.id))).one()
        row.document = row.document | {"cells": [told | {"value": branch} for branch in BRANCHES]}
    async with evaluation.client(Role.branch_head, org="hq.sh") as head:
        result = (await head.get(f"{path}/result")).json()
        assert [row["values"] for row in result["breakdown"]] == [{"branch": b} for b in BRANCHES[:2]]
        by_segment = (await head.get(f"{path}/breakdown", params={"by": "segment,branch"})).json()
        assert {row["values"]["branch"] for row in by_segment["rows"]} == set(BRANCHES[:2])
        assert len(by_segment["rows"]) == 4
        funnel = (await head.get(f"{path}/funnel")).json()
        assert funnel["treated"]["assigned"] == 400
        assert funnel["targeted"] < 1007
        board = (await head.get(f"/v1/boards/campaigns/{campaign.id}")).json()
        listed = await head.get("/v1/recommendations", params={"campaign_id": str(campaign.id)})
        for advice in (board["recommendation"], *listed.json()["items"]):
            assert [cell["value"] for cell in advice["cells"]] == list(BRANCHES[:2])
    whole = (await strategist.get(f"{path}/breakdown", params={"by": "segment"})).json()
    assert sum(row["n"] for row in whole["rows"]) == 600


async def test_a_campaign_of_another_organisation_is_invisible(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(treated=60, held_out=40, orgs=("hq.bj",))
    await run(evaluation, strategist, campaign)
    async with evaluation.client(Role.branch_head, org="hq.sh") as stranger:
        for path in ("registration", "result", "breakdown", "funnel", "health"):
            assert (await stranger.get(f"/v1/campaigns/{campaign.id}/{path}")).status_code == 404
        assert (await stranger.get(f"/v1/boards/campaigns/{campaign.id}")).status_code == 404
        board = (await stranger.get("/v1/boards/strategy")).json()
        assert str(campaign.id) not in {item["campaign_id"] for item in board["campaigns"]}
        listed = (await stranger.get("/v1/recommendations", params={"campaign_id": str(campaign.id)})).json()
        assert listed["items"] == []
    async with evaluation.client(Role.branch_head, org="hq.bj.haidian") as below:
        assert (await below.get(f"/v1/campaigns/{campaign.id}/result")).status_code == 200


async def test_rows_are_hidden_where_no_scope_was_set(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    await run(evaluation, strategist, Campaign(treated=60, held_out=40))
    tables = ("registration", "course", "result", "result_cell", "branch_effect", "recommendation")
    async with evaluation.runtime.db.transaction("nowhere") as session:
        for table in tables:
            assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0


async def test_the_feed_reports_how_far_it_is(evaluation: Running, strategist: httpx.AsyncClient) -> None:
    launched, *others = Campaign(treated=3, held_out=2).facts()
    # The last message of the stream is none of the store's: it must not look like a lag.
    await evaluation.publish(*others, launched)

    async def caught_up() -> bool:
        streams = (await strategist.get("/v1/feed")).json()["streams"]
        assert [(stream["feed"], stream["stream"]) for stream in streams] == [
            ("evaluation", "CUSTOMER"),
            ("evaluation", "CAMPAIGN"),
            ("evaluation-desks", "CAMPAIGN"),
            ("evaluation-tiers", "SEGMENTATION"),
        ]
        return all(
            stream["lag"] == 0 and stream["watermark"] == stream["last_sequence"] for stream in streams
        )

    await eventually(caught_up, what="no lag")
