"""The review of the demonstration, whatever the evaluation service happened to see before."""

from io import StringIO
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from rich.console import Console

from deploy.demo.api import Api
from deploy.demo.memory import Memory
from deploy.demo.narration import Narrator
from deploy.demo.plot import SYNTHETIC
from deploy.demo.review import evaluate_campaign
from deploy.demo.scene import Scene
from deploy.embedded.keyring import Keyring


class Evaluations:
    """As if each job were done at once: results in their order, the last one stays."""

    def __init__(self, *late: bool) -> None:
        self._late, self.keys = late, list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=self._answer(request))

    def _answer(self, request: httpx.Request) -> dict[str, Any]:
        path = request.url.path.removeprefix("/api/evaluation/v1/")
        match path:
            case "campaigns/c:evaluate":
                self.keys.append(request.headers["Idempotency-Key"])
                return {"id": "j", "state": "queued"}
            case "jobs/j":
                return {"state": "succeeded"}
            case "campaigns/c/result":
                at = len(self.keys) - 1
                checks = [{"check": "late_data", "ok": not self._late[at]}]
                return {"recommendation_id": f"r{at}", "health": {"checks": checks}}
            case "recommendations":
                return {"items": [{"id": f"r{at}"} for at in range(len(self._late))], "next_cursor": None}
        return {"rows": []}


@pytest.mark.parametrize(("late", "asked"), [((False,), 1), ((True, False), 2), ((True, True), 2)])
async def test_what_came_late_for_one_evaluation_is_known_to_the_next(
    tmp_path: Path, late: tuple[bool, ...], asked: int
) -> None:
    told = Evaluations(*late)
    memory = Memory(tmp_path / "demo.json", {})
    memory.finish("plan_campaign", {"id": "c"})
    keyring = Keyring(tmp_path)
    keyring.ensure()
    api = Api("http://demo", keyring)
    async with (
        api,
        httpx.AsyncClient(transport=httpx.MockTransport(told), base_url="http://demo/api/") as client,
    ):
        api.client = client
        narrator = Narrator(Console(file=StringIO(), force_terminal=False))
        found = await evaluate_campaign(Scene(api, cast("Any", None), SYNTHETIC, memory, narrator, tmp_path))
    assert len(told.keys) == len(set(told.keys)) == asked
    assert found["recommendation"] == {"id": f"r{asked - 1}"}
