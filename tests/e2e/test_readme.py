"""The README's tour is run as it stands, block by block, in one shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.conftest import Demonstration

pytestmark = pytest.mark.xdist_group("demonstration")

_MARK = "::block::"


def _tour(repository: Path) -> list[str]:
    text = (repository / "README.md").read_text("utf-8")
    section = text.split("## Five minutes with curl", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)


def test_the_tour(demonstration: Demonstration, repository: Path) -> None:
    blocks = _tour(repository)
    assert len(blocks) >= 6
    script = f"\necho '{_MARK}'\n".join(blocks).replace("http://127.0.0.1:8000", demonstration.stack.base_url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=demonstration.stack.data_dir.parent,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    said = done.stdout.split(_MARK)
    (
        _credentials,
        customer,
        events,
        view,
        merging,
        history,
        segments,
        insight,
        acting,
        review,
        cells,
        table,
    ) = said
    assert orjson.loads(customer)["name"] == "王**"
    pushed = orjson.loads(events)
    assert (pushed["accepted"], pushed["rejected"]) == (1, 1)
    assert {error["pointer"] for error in pushed["items"][0]["problem"]["errors"]} >= {"/1/time"}
    assert orjson.loads(view)["timeline"][0]["type"] == "transaction.posted"
    trial, undone = merging.replace("}{", "}\n{").strip().split("\n")
    assert (orjson.loads(trial)["merge_id"], orjson.loads(trial)["merged"]) == (None, 1)
    assert orjson.loads(undone)["separated"] == 1
    changes, network, value = history.replace("}{", "}\n{").strip().split("\n")
    assert orjson.loads(changes)["items"]
    assert orjson.loads(network)["nodes"]
    assert orjson.loads(value)["months"]
    preview, explanation = segments.replace("}{", "}\n{").strip().split("\n")
    assert orjson.loads(preview)["count"] > 0
    assert orjson.loads(explanation)["member"] is False
    overlap, choice, nine, tiers = insight.replace("}{", "}\n{").strip().split("\n")
    assert len(orjson.loads(overlap)["segments"]) == 2
    assert orjson.loads(choice)["chosen"] == orjson.loads(choice)["recommended"]
    assert sum(orjson.loads(nine)["classes"].values()) > 0
    assert "value" in {tier["scheme_key"] for tier in orjson.loads(tiers)["tiers"]}
    channel, tried, funnel, calendar = acting.replace("}{", "}\n{").strip().split("\n")
    assert orjson.loads(channel)["state"] == "disabled"
    assert orjson.loads(tried)["outcome"] == "accepted"
    assert "groups" in orjson.loads(funnel)
    assert orjson.loads(calendar)["campaigns"]
    result, recommendations = review.replace("}{", "}\n{").strip().split("\n")
    assert orjson.loads(result)["primary"]["metric"] == "net_inflow_30d"
    assert orjson.loads(recommendations)["items"]
    by_cell, money = cells.replace("}{", "}\n{").strip().split("\n")
    assert orjson.loads(by_cell)["by"] == ["segment", "tier"]
    assert orjson.loads(money)["treated"] > 0
    assert (demonstration.stack.data_dir.parent / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "Arm b is above control a" in table
