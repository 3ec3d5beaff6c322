"""Insight: rules that people wrote, and clusters that nobody wrote, compared with what is hidden."""

import numpy as np
import pyarrow.compute as pc
from sklearn.metrics import adjusted_rand_score

from deploy.demo.api import Json
from deploy.demo.errors import DemoError
from deploy.demo.memory import Result
from deploy.demo.scene import Scene, until


async def publish_segments(scene: Scene) -> Result:
    """Preview each rule, create it, publish it, wait for its members."""
    found: Result = {}
    with scene.narrator.counting("segments", len(scene.plot.segments)) as advance:
        for body in scene.plot.segments:
            found[body["key"]] = await _publish(scene, body)
            advance(1)
    return found


async def _publish(scene: Scene, body: Json) -> Json:
    who, key = scene.strategist, body["key"]
    preview = await who.post(
        "segmentation/v1/segments:preview", {"definition": body["definition"], "sample": 3}
    )
    segment = await who.post("segmentation/v1/segments", body, key=scene.memory.key("segment", key))
    path = f"segmentation/v1/segments/{segment['id']}"
    await who.post(f"{path}:publish", key=scene.memory.key("publish", key))

    async def evaluated() -> Json | None:
        view = await who.get(path)
        return (
            view if view["size"] is not None and view["evaluated_version"] == view["live_version"] else None
        )

    view = await until(f"the evaluation of {key}", evaluated)
    return {"id": view["id"], "name": view["name"], "size": view["size"], "preview": preview["count"]}


async def find_clusters(scene: Scene) -> Result:
    """A cluster ensemble that chooses its number; with a known truth, how well it matches the archetypes."""
    who, plot = scene.strategist, scene.plot
    model = await who.post(
        "segmentation/v1/models",
        {
            "key": "archetypes",
            "name": {"zh": "客户原型", "en": "Archetypes"},
            "kind": "ensemble",
            "goal": "Find groups of customers that live differently, without being told what to look for.",
            "parameters": {"features": list(plot.features), "k": "auto", "k_max": 8, "seed": 1},
        },
        key=scene.memory.key("model"),
    )
    queued = await who.post(f"segmentation/v1/models/{model['id']}/runs", key=scene.memory.key("model-run"))
    with scene.narrator.counting("cluster ensemble", 1) as advance:
        run = await until("the model run", lambda: _finished(scene, queued["id"]))
        advance(1)
    clusters = [cluster["size"] for cluster in run["clusters"]]
    return {"run": run["id"], "clusters": clusters, "silhouette": run["metrics"]["silhouette"],
            "ari": await _agreement(scene, run["id"])}  # fmt: skip


async def _finished(scene: Scene, run_id: str) -> Json | None:
    run = await scene.strategist.get(f"segmentation/v1/model-runs/{run_id}")
    if run["state"] == "failed":
        raise DemoError(f"the model run failed: {run['problem']}")
    return run if run["state"] == "succeeded" else None


async def _agreement(scene: Scene, run_id: str) -> float | None:
    """Adjusted Rand index of clusters and archetypes over all customers."""
    truth = scene.world.data.truth
    if truth is None:
        return None
    ids = await scene.customer_ids()
    members = [m async for m in scene.strategist.pages(f"segmentation/v1/model-runs/{run_id}/members")]
    cluster = {m["customer_id"]: m["cluster"] for m in members}
    labels = np.array([cluster.get(customer, -1) for customer in ids["customer_id"].to_pylist()])
    archetype = truth["archetype"].take(pc.index_in(ids["source_id"], truth["source_id"].combine_chunks()))
    return float(adjusted_rand_score(archetype.to_pylist(), labels))
