"""Service quality: what customers answered at the counters of every sub-branch, and the index made of it."""

import csv
import io
from datetime import date, timedelta

import numpy as np

from deploy.demo.api import Json, Raw
from deploy.demo.errors import DemoError
from deploy.demo.memory import Result
from deploy.demo.plot import text
from deploy.demo.scene import Scene, until
from shared.clock import ZONE

MODEL = "branch-service"
MONTHS = 3
ANSWERS = 30
"""By sub-branch and month."""
SAMPLES = 200
_COLUMNS = ("wait_minutes", "prompt", "by_the_book", "explained", "correct", "complete", "satisfied", "again")
_PATHS = (0.55, 0.15, 0.35)
"""What satisfaction follows: timeliness most, standardisation least, reliability."""


async def ask_about_service(scene: Scene) -> Result:
    """Three months of answers, uploaded by the month, and the run that weighs the dimensions."""
    who, path = scene.strategist, f"evaluation/v1/service-quality/models/{MODEL}"
    key = scene.memory.key("service model")
    await who.post("evaluation/v1/service-quality/models", service_model(), key=key)
    orgs = scene.world.data.orgs.to_pylist()
    branches = sorted(str(org["code"]) for org in orgs if org["level"] == "subbranch")
    rng = np.random.default_rng(scene.memory.about["seed"])
    level = rng.normal(0, 0.5, len(branches))
    months = months_before(scene.begun.astimezone(ZONE).date())
    with scene.narrator.counting("months of answers", len(months)) as advance:
        for month in months:
            file = Raw(answers(branches, level, month, rng), "text/csv")
            await who.put(f"{path}/observations/{month}", file)
            advance(1)
    asked = {"replicates": SAMPLES, "seed": scene.memory.about["seed"]}
    job = await who.post(f"{path}:run", asked, key=scene.memory.key("service run"))
    await until("the service-quality index", lambda: _ended(scene, job["id"]))
    index = await who.get(f"{path}/index")
    return {
        "answers": len(branches) * len(months) * ANSWERS,
        "branches": len(index["branches"]),
        "comparable": index["comparable"],
        "best": index["branches"][0]["branch"],
        "index": index["branches"][0]["index"],
    }


def months_before(day: date) -> list[str]:
    """The last whole months, the earliest first."""
    months = []
    for _ in range(MONTHS):
        day = day.replace(day=1) - timedelta(days=1)
        months.append(f"{day:%Y-%m}")
    return months[::-1]


def answers(branches: list[str], level: np.ndarray, month: str, rng: np.random.Generator) -> bytes:
    """A file of the month. `level` (branches,): how much more prompt than others each branch is."""
    n = len(branches) * ANSWERS
    felt = rng.normal(size=(n, 3))
    felt[:, 0] += np.repeat(level, ANSWERS)
    satisfied = felt @ _PATHS + 0.4 * rng.normal(size=n)
    shown = np.repeat(np.column_stack([felt, satisfied]), 2, axis=1) + 0.4 * rng.normal(size=(n, 8))
    scores = np.clip(5.5 + 1.5 * shown, 1, 10).round(1)
    scores[:, 0] = np.clip(20 - 8 * shown[:, 0], 0, 120).round(1)
    file = io.StringIO()
    lines = csv.writer(file)
    lines.writerow(["branch", "business", "date", *_COLUMNS])
    for number, row in enumerate(scores.tolist()):
        lines.writerow([branches[number // ANSWERS], "counter", f"{month}-{1 + number % 28:02}", *row])
    return file.getvalue().encode()


def service_model() -> Json:
    def asked(key: str, zh: str, en: str, **changes: object) -> Json:
        return {"key": key, "name": text(zh, en), "low": 1, "high": 10, **changes}

    waited = asked("wait_minutes", "等候分钟", "Minutes waited", low=0, high=120, better="lower")
    counter = {
        "key": "counter",
        "name": text("柜面业务", "Counter"),
        "dimensions": [
            {
                "dimension": "timeliness",
                "indicators": [waited, asked("prompt", "办理及时", "Served promptly")],
            },
            {
                "dimension": "standardisation",
                "indicators": [
                    asked("by_the_book", "按规范办理", "Done by the book"),
                    asked("explained", "讲解清楚", "Explained clearly"),
                ],
            },
            {
                "dimension": "reliability",
                "indicators": [
                    asked("correct", "准确无误", "Done correctly"),
                    asked("complete", "一次办结", "Done at once"),
                ],
            },
        ],
        "outcomes": [
            asked("satisfied", "总体满意", "Satisfied"),
            asked("again", "愿意再来", "Would come again"),
        ],
    }
    name = text("网点服务质量（演示问卷）", "Service in branches (invented answers)")
    return {"key": MODEL, "name": name, "businesses": [counter]}


async def _ended(scene: Scene, job_id: str) -> Json | None:
    job = await scene.strategist.get(f"evaluation/v1/jobs/{job_id}")
    if job["state"] in {"failed", "cancelled"}:
        raise DemoError(f"the service-quality index has {job['state']}: {job['problem']}")
    return job if job["state"] == "succeeded" else None
