"""Execution: every manager works through the task list and writes down how each call ended."""

from datetime import timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.api import Caller, Json
from deploy.demo.memory import Result
from deploy.demo.narration import Advance
from deploy.demo.scene import Scene, side_by_side
from shared.auth import Role

MANAGERS_AT_ONCE = 6
SIMULATED = "simulated"


async def make_contacts(scene: Scene) -> Result:
    """Each manager signs in with an own token and sees only the own tasks."""
    answers = await _answers(scene)
    managers = [row for row in scene.world.data.staff.to_pylist() if row["role"] == "manager"]
    total = scene.result("launch_campaign")["ledger"]["assigned"]
    with scene.narrator.counting("calls by managers", total) as advance:
        work = [partial(_shift, scene, row["code"], row["org"], answers, advance) for row in managers]
        await side_by_side(work, MANAGERS_AT_ONCE)
    path = f"campaign/v1/campaigns/{scene.result('plan_campaign')['id']}"
    progress = await scene.strategist.get(f"{path}/progress")
    return {"ledger": progress["ledger"], "minutes": progress["minutes"], "balanced": progress["balanced"]}


async def _answers(scene: Scene) -> dict[str, tuple[str, int]]:
    """How a call to each customer would end, by customer id."""
    ids = await scene.customer_ids()
    found = scene.world.answers(ids["source_id"].combine_chunks())
    pairs = zip(found.disposition.tolist(), found.minutes.tolist(), strict=True)
    return dict(zip(ids["customer_id"].to_pylist(), pairs, strict=True))


async def _shift(
    scene: Scene, code: str, org: str, answers: dict[str, tuple[str, int]], advance: Advance
) -> None:
    manager = scene.api.staff(code, Role.manager, org)
    tasks = [task async for task in manager.pages("campaign/v1/tasks")]
    for task in tasks:
        if task["closed_at"] is None:
            disposition, minutes = answers[task["customer_id"]]
            await _record(scene, manager, task, disposition, minutes)
        advance(1)


async def _record(scene: Scene, manager: Caller, task: Json, disposition: str, minutes: int) -> None:
    """One call; who asks to be called back is tried once more and not reached again."""
    key = scene.memory.key("task", task["id"])
    note = {"note": SIMULATED} if scene.plot.simulated_contacts else {}
    body: Json = {"disposition": disposition, "minutes": str(minutes), **note}
    if disposition == "accepted":
        body["outcome"] = {"offer": task["offer"], "amount": scene.plot.amount}
    if disposition == "call_back":
        if task["state"] != "call_back":
            again = scene.now() + timedelta(hours=1)
            await _attempt(manager, task, {**body, "next_at": again.isoformat()}, key)
        key, body = f"{key}-again", {"disposition": "no_answer", "minutes": "1", **note}
    await _attempt(manager, task, body, key)


async def _attempt(manager: Caller, task: Json, body: Json, key: str) -> None:
    path = f"campaign/v1/tasks/{task['id']}"
    begun = await manager.post(f"{path}:start", {}, key=f"{key}-start")
    # Who may not be contacted any more is not: the task is closed with the reason.
    if begun["state"] != "expired":
        await manager.post(f"{path}:record", body, key=key)


async def ledger(scene: Scene) -> list[Json]:
    path = f"campaign/v1/campaigns/{scene.result('plan_campaign')['id']}/ledger"
    return [entry async for entry in scene.strategist.pages(path)]


async def contacts_made(scene: Scene, entries: list[Json]) -> pa.Table:
    """source_id, disposition and time of every first call, for the world to act on."""
    called = [e for e in entries if e["disposition"] is not None]
    names = await source_ids(scene, [e["customer_id"] for e in called])
    times = pa.array([e["closed_at"] for e in called]).cast(pa.timestamp("us", "UTC"))
    dispositions = scene.world.answers(names).disposition.tolist()
    return pa.table({"source_id": names, "disposition": pa.array(dispositions, pa.string()), "time": times})


async def source_ids(scene: Scene, customer_ids: list[str]) -> pa.Array:
    known = await scene.customer_ids()
    rows = pc.index_in(pa.array(customer_ids, pa.string()), known["customer_id"].combine_chunks())
    return known["source_id"].combine_chunks().take(rows)
