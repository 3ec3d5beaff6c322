"""Review: a month passes, money moves, and the evaluation says what the campaign changed."""

from datetime import datetime

from deploy.demo.api import Json
from deploy.demo.contacts import contacts_made, ledger, source_ids
from deploy.demo.errors import DemoError
from deploy.demo.memory import Result
from deploy.demo.posting import EVENTS_AT_ONCE, send_events
from deploy.demo.scene import Scene, until


async def let_time_pass(scene: Scene) -> Result:
    """Thirty-one days at once: the clock moves, the bank posts what happened meanwhile, and the campaign,
    whose last day has passed, closes its books by itself.
    """
    entries = await ledger(scene)
    launched = datetime.fromisoformat(scene.result("launch_campaign")["launched_at"])
    happened = scene.world.outcomes(await contacts_made(scene, entries), launched)
    scene.return_to_present()
    batches = iter(happened.combine_chunks().to_batches(EVENTS_AT_ONCE * 20))
    sent = await send_events(scene, "outcome_events", batches, happened.num_rows)
    await until("the campaign to close its books", lambda: _closed(scene), seconds=600)
    members = [e["customer_id"] for e in entries if e["arm"] is not None or e["state"] == "held_out"]
    return {**sent, "true_effect": scene.world.true_effect(await source_ids(scene, members))}


async def evaluate_campaign(scene: Scene) -> Result:
    """Ask for a fresh evaluation once every outcome has arrived; and for one more where the books closed, and
    were evaluated, while the bank was still posting. What came after that was late for the first one.
    """
    who, campaign = scene.strategist, scene.result("plan_campaign")["id"]
    path = f"evaluation/v1/campaigns/{campaign}"
    with scene.narrator.counting("evaluation", 1) as advance:
        result = await _evaluated(scene, path, "evaluate")
        if _late(result):
            result = await _evaluated(scene, path, "evaluate-again")
        advance(1)
    issued = [found async for found in who.pages("evaluation/v1/recommendations", campaign_id=campaign)]
    recommendation = next(found for found in issued if found["id"] == result["recommendation_id"])
    branches = await who.get(f"{path}/breakdown", by="branch")
    return {"result": result, "recommendation": recommendation, "branches": branches["rows"]}


async def _evaluated(scene: Scene, path: str, intention: str) -> Json:
    job = await scene.strategist.post(f"{path}:evaluate", key=scene.memory.key(intention))
    await until("the evaluation", lambda: _ended(scene, job["id"]), seconds=600)
    return await scene.strategist.get(f"{path}/result")


def _late(result: Json) -> bool:
    return any(check["check"] == "late_data" and not check["ok"] for check in result["health"]["checks"])


async def _closed(scene: Scene) -> Json | None:
    campaign = await scene.strategist.get(f"campaign/v1/campaigns/{scene.result('plan_campaign')['id']}")
    return campaign if campaign["status"] == "completed" else None


async def _ended(scene: Scene, job_id: str) -> Json | None:
    job = await scene.strategist.get(f"evaluation/v1/jobs/{job_id}")
    if job["state"] in {"failed", "cancelled"}:
        raise DemoError(f"the evaluation has {job['state']}: {job['problem']}")
    return job if job["state"] == "succeeded" else None
