"""Strategy: an offer, a script, a campaign with its five fixes, a second pair of eyes, the launch."""

from deploy.demo import plot as plots
from deploy.demo.api import Json
from deploy.demo.errors import RefusedError
from deploy.demo.memory import Result
from deploy.demo.scene import Scene, until
from shared.auth import DEMO_USERS
from shared.clock import ZONE


async def plan_campaign(scene: Scene) -> Result:
    """Everything up to the submission, by the strategist; the script has its own second pair of eyes."""
    who, plot, key = scene.strategist, scene.plot, scene.memory.key
    if plot.metric:
        await who.post("evaluation/v1/metrics", plot.metric, key=key("metric"))
    await who.post("campaign/v1/offers", plot.offer, key=key("offer"))
    script = await who.post("campaign/v1/scripts", plot.script, key=key("script"))
    await scene.approver.post(f"campaign/v1/scripts/{script['ref']}:approve", {}, key=key("script-approval"))
    body = plots.campaign(
        plot,
        script["ref"],
        owner=_staff("strategist"),
        accountable=_staff("admin"),
        org=["hq"],
        start=scene.now().astimezone(ZONE).date(),
    )
    # A resumed plan must repeat the body it began with, or its Idempotency-Key is refused.
    scene.memory.note("campaign", scene.memory.notes.get("campaign", body))
    body = scene.memory.notes["campaign"]
    created = await who.post("campaign/v1/campaigns", body, key=key("campaign"))
    path = f"campaign/v1/campaigns/{created['id']}"
    members = await _expected_audience(scene)
    simulation = await until("the members in campaign", lambda: _simulated(scene, path, members))
    await who.post(f"{path}:submit", key=key("submit"))
    return {"id": created["id"], "key": body["key"], "simulation": simulation}


async def approve_campaign(scene: Scene) -> Result:
    """By the approver, who is not its author."""
    path = _path(scene)
    approved = await scene.approver.post(
        f"{path}:approve", {"comment": "Five fixes complete, hold-out kept."}, key=scene.memory.key("approve")
    )
    return {"content_hash": approved["content_hash"], "approved_by": approved["approved_by"]}


async def launch_campaign(scene: Scene) -> Result:
    """Freeze the audience, draw the hold-out, hand out the tasks."""
    path = _path(scene)
    await scene.strategist.post(f"{path}:launch", key=scene.memory.key("launch"))

    async def running() -> Json | None:
        view = await scene.strategist.get(path)
        return view if view["status"] == "running" else None

    with scene.narrator.counting("campaign launched", 1) as advance:
        view = await until("the launch", running, seconds=900)
        advance(1)
    progress = await scene.strategist.get(f"{path}/progress")
    return {"launched_at": view["launched_at"], "ledger": progress["ledger"]}


async def _expected_audience(scene: Scene) -> int:
    """How many the segments hold now, as segmentation counts them."""
    wanted = " or ".join(f"in_segment('{key}')" for key in scene.plot.include)
    barred = "".join(f" and not in_segment('{key}')" for key in scene.plot.exclude)
    preview = await scene.strategist.post(
        "segmentation/v1/segments:preview", {"definition": {"sql": f"({wanted}){barred}"}, "sample": 0}
    )
    return int(preview["count"])


async def _simulated(scene: Scene, path: str, members: int) -> Json | None:
    """Campaign hears of segments and their members by events: None until it has heard of all."""
    try:
        simulation = await scene.strategist.post(f"{path}:simulate")
    except RefusedError as refused:
        if refused.status == 422:
            return None
        raise
    return simulation if simulation["audience"] == members else None


def _path(scene: Scene) -> str:
    return f"campaign/v1/campaigns/{scene.result('plan_campaign')['id']}"


def _staff(user: str) -> str:
    return next(u.staff for u in DEMO_USERS if u.id == user and u.staff)
