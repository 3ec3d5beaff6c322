"""Response models through the running service."""

from decimal import Decimal

import httpx
from sqlalchemy import text

from services.evaluation.store.uplift import NAMES
from tests.evaluation.bank import Campaign
from tests.evaluation.test_loop import registered, run, strategist
from tests.support import Running, eventually

__all__ = ["strategist"]


async def test_a_model_is_fitted_to_an_evaluated_campaign(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(treated=750, held_out=500, effect=800)
    path = f"/v1/campaigns/{campaign.id}"
    result = await run(evaluation, strategist, campaign)
    assert (await strategist.get(f"{path}/response-model")).json()["type"].endswith("not-fitted")
    job = await _done(strategist, (await strategist.post(f"{path}:fit-response-model")).json()["id"])
    assert job["state"] == "succeeded", job
    model = (await strategist.get(f"{path}/response-model")).json()
    assert (model["n"], model["n_hold_out"], model["features"]) == (750, 500, list(NAMES))
    assert model["verdict"] in {"differs", "no_evidence"}
    assert sum(group["n"] for group in model["groups"]) == 1250
    low, high = map(Decimal, model["everybody"]["ci"])
    assert low < Decimal(result["primary"]["overall"]["difference"]) < high
    again = await _done(strategist, (await strategist.post(f"{path}:fit-response-model")).json()["id"])
    assert again["state"] == "succeeded"
    newer = (await strategist.get(f"{path}/response-model")).json()
    assert {name for name in model if model[name] != newer[name]} <= {"id", "fitted_at", "data_until"}


async def test_where_nothing_can_be_learned_that_is_said(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    small = Campaign(treated=60, held_out=40)
    await run(evaluation, strategist, small)
    asked = await strategist.post(f"/v1/campaigns/{small.id}:fit-response-model")
    job = await _done(strategist, asked.json()["id"])
    assert job["state"] == "failed"
    assert "60 treated and 40 held out" in str(job)
    alone, early = Campaign(treated=3, held_out=0, hold_out=False), Campaign(treated=3, held_out=2)
    await evaluation.publish(alone.launched(), early.launched())
    for campaign, said in ((alone, "Nobody was held out"), (early, "Evaluate the campaign first")):
        await registered(evaluation, campaign)
        refused = await strategist.post(f"/v1/campaigns/{campaign.id}:fit-response-model")
        assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (409, "no-response-model")
        assert said in refused.json()["detail"]


async def _done(client: httpx.AsyncClient, job_id: str) -> dict[str, object]:
    async def finished() -> bool:
        return (await client.get(f"/v1/jobs/{job_id}")).json()["state"] in {"succeeded", "failed"}

    await eventually(finished, what="the model")
    found: dict[str, object] = (await client.get(f"/v1/jobs/{job_id}")).json()
    return found


async def test_what_hangs_on_a_campaign_is_seen_with_it_only(evaluation: Running) -> None:
    async with evaluation.runtime.db.transaction() as session:
        open_tables = await session.scalars(
            text(
                "SELECT t.relname FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid"
                " WHERE c.confrelid = 'registration'::regclass AND NOT t.relrowsecurity"
            )
        )
        assert open_tables.all() == []
