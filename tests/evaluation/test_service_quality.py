"""Service quality from the declaration to the index, through the API."""

import io
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.auth import Role
from shared.ids import new_id
from tests.support import Running, eventually

BRANCHES = [f"hq.sh.b{number:02}" for number in range(6)] + [f"hq.bj.b{number:02}" for number in range(6)]
PERIODS = ("2026-09", "2026-10")
ROOT = "/v1/service-quality/models"


def indicator(key: str, **changes: object) -> dict[str, object]:
    return {"key": key, "name": {"zh": key, "en": key}, "low": 0, "high": 10, **changes}


def business(key: str) -> dict[str, object]:
    return {
        "key": key,
        "name": {"zh": key, "en": key},
        "dimensions": [
            {
                "dimension": "timeliness",
                "indicators": [indicator("wait", high=240, better="lower"), indicator("prompt")],
            },
            {"dimension": "reliability", "indicators": [indicator("correct"), indicator("complete")]},
        ],
        "outcomes": [indicator("satisfied")],
    }


def declared(**changes: object) -> dict[str, Any]:
    return {
        "key": f"q-{new_id().hex[-12:]}",
        "name": {"zh": "网点服务质量", "en": "Branch service"},
        "businesses": [business("counter"), business("advice")],
        **changes,
    }


def answers(period: str, *, per_cell: int = 12, noise: float = 0.4, seed: int = 1) -> pa.Table:
    """Branches from worst to best in timeliness; reliability counts against the counter."""
    rng = np.random.default_rng(seed)
    n = len(BRANCHES) * 2 * per_cell
    branch = np.repeat(np.arange(len(BRANCHES)), 2 * per_cell)
    kind = np.tile(np.repeat([0, 1], per_cell), len(BRANCHES))
    prompt = rng.normal(size=n) + np.linspace(-1.5, 1.5, len(BRANCHES))[branch]
    correct = rng.normal(size=n)
    satisfied = 0.6 * prompt + np.where(kind == 0, -0.3, 0.4) * correct + 0.4 * rng.normal(size=n)

    def asked(factor: Any) -> Any:
        return np.clip(5 + factor + noise * rng.normal(size=n), 0, 10).round(3)

    return pa.table(
        {
            "branch": [BRANCHES[number] for number in branch],
            "business": [("counter", "advice")[number] for number in kind],
            "date": [f"{period}-{1 + number % 28:02}" for number in range(n)],
            "wait": (10 * (10 - asked(prompt))).round(3),
            "prompt": asked(prompt),
            "correct": asked(correct),
            "complete": asked(correct),
            "satisfied": asked(satisfied),
            "comment": ["好"] * n,
        }
    )


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def text(*lines: str) -> bytes:
    return "\n".join(["branch,business,date,wait,prompt,correct,complete,satisfied", *lines, ""]).encode()


async def created(client: httpx.AsyncClient, model: dict[str, Any]) -> str:
    answer = await client.post(ROOT, json=model)
    assert answer.status_code == 201, answer.text
    return f"{ROOT}/{model['key']}"


async def observed(
    client: httpx.AsyncClient, path: str, periods: Sequence[str] = PERIODS, **how: Any
) -> None:
    for number, period in enumerate(periods):
        answer = await client.put(
            f"{path}/observations/{period}", content=parquet(answers(period, seed=number, **how))
        )
        assert answer.status_code == 200, answer.text


async def ran(client: httpx.AsyncClient, path: str, **asked: object) -> dict[str, Any]:
    answer = await client.post(f"{path}:run", json={"replicates": 100, **asked})
    assert answer.status_code == 202, answer.text
    location = answer.headers["Location"]

    async def over() -> bool:
        return (await client.get(location)).json()["state"] not in {"queued", "running"}

    await eventually(over, what="the run")
    job: dict[str, Any] = (await client.get(location)).json()
    return job


async def test_from_a_declaration_to_the_index(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        path = await created(client, declared())
        await observed(client, path)
        job = await ran(client, path)
        assert job["state"] == "succeeded", job
        run = (await client.get(f"{path}/runs/{job['result']['run_id']}")).json()
        index = (await client.get(job["result"]["result"])).json()
        await told_by(run)
        assert index["period"] == "2026-10"
        assert index["comparable"]
        assert index["ranked"] == len(BRANCHES)
        assert [one["rank"] for one in index["branches"]] == list(range(1, len(BRANCHES) + 1))
        best = index["branches"][0]
        assert best["branch"].startswith("hq.bj")
        assert best["standing"] == "above"
        assert best["ci"][0] < best["index"] < best["ci"][1]
        assert 100 + sum(one["contribution"] for one in best["drivers"]) == pytest.approx(best["index"])
        assert best["drivers"][0]["dimension"] == "timeliness"
        assert [one["period"] for one in best["trend"]] == list(PERIODS)
        assert best["trend"][-1]["index"] == best["index"]
        assert [one["period"] for one in index["bank"]] == list(PERIODS)
        earlier = (await client.get(f"{path}/index", params={"period": "2026-09", "org": "hq.sh"})).json()
        assert {one["branch"] for one in earlier["branches"]} == set(BRANCHES[:6])
        assert (await client.get(f"{path}/index", params={"period": "2020-01"})).status_code == 404
        again = await ran(client, path)
        repeated = (await client.get(f"{path}/runs/{again['id']}")).json()
        assert repeated["input_hash"] == run["input_hash"]
        assert repeated["businesses"] == run["businesses"]
        assert (await client.get(path)).json()["run_id"] == again["id"]
    await read_by_branches(evaluation, path)


async def told_by(run: dict[str, Any]) -> None:
    """Weights sum to one, and the path below zero is told and counts nothing."""
    counter = {one["name"]: one for one in run["businesses"][0]["dimensions"]}
    assert counter["reliability"]["clipped"]
    assert counter["reliability"]["weight"] == 0
    assert counter["reliability"]["path_ci"][1] < 0
    assert counter["timeliness"]["weight"] == 1
    assert sum(one["weight"] for one in run["businesses"][1]["dimensions"]) == pytest.approx(1)
    assert sum(one["weight"] for one in run["shares"]) == pytest.approx(1)
    assert run["unreliable"] == []
    assert run["rows"] == 2 * 12 * 2 * len(BRANCHES)
    assert np.mean([one["index"] for one in run["bank"]]) == pytest.approx(100)


async def read_by_branches(evaluation: Running, path: str) -> None:
    """A branch sees its own row and the bank; ranks are those among all."""
    async with evaluation.client(Role.branch_head, org="hq.sh.b00") as head:
        index = (await head.get(f"{path}/index")).json()
        assert [one["branch"] for one in index["branches"]] == ["hq.sh.b00"]
        assert index["branches"][0]["rank"] > 6
        assert index["ranked"] == len(BRANCHES)
        assert len(index["bank"]) == len(PERIODS)
        months = (await head.get(f"{path}/observations")).json()["items"]
        assert [(one["period"], one["branches"], one["rows"]) for one in months] == [
            (period, 1, {"counter": 12, "advice": 12}) for period in reversed(PERIODS)
        ]
        assert (await head.get(f"{path}/index", params={"org": "hq.bj"})).json()["branches"] == []
        assert (await head.post(f"{path}:run")).status_code == 403
        assert (await head.put(f"{path}/observations/2026-09", content=b"x")).status_code == 403
        assert (await head.post(ROOT, json=declared())).status_code == 403


async def test_unreliable_dimensions_withhold_the_comparison(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        path = await created(client, declared(businesses=[business("counter"), business("advice")]))
        await observed(client, path, noise=2.5)
        job = await ran(client, path)
        assert job["result"]["comparable"] is False
        index = (await client.get(f"{path}/index")).json()
        assert any("counter/reliability" in reason for reason in index["withheld"])
        assert index["ranked"] is None
        assert len(index["branches"]) == len(BRANCHES)
        assert all(one["rank"] is None and one["standing"] is None for one in index["branches"])
        names = [one["branch"] for one in index["branches"]]
        assert names == sorted(names)


async def test_lines_that_cannot_be_taken_are_named_and_nothing_changes(evaluation: Running) -> None:
    good = "hq.sh.b00,counter,2026-09-03,5,4,3,2,1"
    wrong = text(
        good,
        "Nowhere!,counter,2026-09-03,5,4,3,2,1",
        "hq.sh.b00,vault,2026-09-03,5,4,3,2,1",
        "hq.sh.b00,counter,2026-08-31,5,4,3,2,1",
        "hq.sh.b00,counter,2026-09-31,5,4,3,2,1",
        "hq.sh.b00,counter,2026-09-03,soon,4,3,2,1",
        "hq.sh.b00,counter,2026-09-03,-1,4,3,2,1",
        "hq.sh.b00,counter,2026-09-03,5,,3,2,1",
        "hq.sh.b00,counter,2026-09-03,5,4,3",
        "hq.sh.b00,counter,2026-09-03,5,4,3,2,nan",
    )
    async with evaluation.client(Role.integrator) as client, evaluation.client(Role.strategist) as office:
        path = await created(office, declared())
        place = f"{path}/observations/2026-09"
        assert (await client.put(place, content=text(good, good))).json()["rows"] == 2
        answer = await client.put(place, content=wrong)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [
            "/lines/3/branch", "/lines/4/business", "/lines/5/date", "/lines/6/date", "/lines/7/wait",
            "/lines/8/wait", "/lines/9/prompt", "/lines/10", "/lines/11/satisfied",
        ]  # fmt: skip
        assert (await client.get(f"{path}/observations")).json()["items"][0]["rows"] == {"counter": 2}
        taken = (await client.put(place, content=wrong, params={"skip_invalid": True})).json()
        assert (taken["rows"], taken["refused"], taken["branches"]) == (1, 9, 1)
        assert taken["errors"][4] == {"line": 7, "column": "wait", "detail": "is not a number"}
        assert (await client.get(f"{path}/observations")).json()["items"][0]["rows"] == {"counter": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "neither CSV"),
        (b"\x00\xff\x00", "neither CSV"),
        (b"\x00,\x01\n", "lacks the columns"),
        (b"PAR1nothing", "neither CSV"),
        (b"branch,branch,date\nx,y,z\n", "two columns"),
        (b"branch,business,date\nhq.a,counter,2026-09-01\n", "lacks the column wait"),
        (b"branch,business,date,wait\n", "no observation"),
    ],
)
async def test_files_that_cannot_be_read_are_refused(
    evaluation: Running, content: bytes, reason: str
) -> None:
    async with evaluation.client(Role.strategist) as client:
        path = await created(client, declared())
        answer = await client.put(f"{path}/observations/2026-09", content=content)
        assert answer.status_code == 422, answer.text
        assert reason in answer.json()["detail"]


async def test_a_form_and_chinese_spreadsheets_are_read(evaluation: Running) -> None:
    line = "hq.sh.b00,counter,2026-09-03,5,4,3,2,1"
    content = text(line).decode().replace("satisfied", "satisfied,备注").replace(line, line + ",很好")
    async with evaluation.client(Role.strategist) as client:
        path = await created(client, declared())
        answer = await client.put(
            f"{path}/observations/2026-09", files={"file": ("answers.csv", content.encode("gb18030"))}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["ignored_columns"] == ["备注"]
        assert (await client.put(f"{path}/observations/2026-09", files={"data": b"x"})).status_code == 422


async def test_a_run_that_cannot_be_says_why(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        path = await created(client, declared())
        assert (await client.post(f"{path}:run")).status_code == 409
        assert (await client.get(f"{path}/index")).status_code == 404
        await client.put(
            f"{path}/observations/2026-09", content=text("hq.sh.b00,counter,2026-09-03,5,4,3,2,1")
        )
        unknown = await client.post(f"{path}:run", json={"periods": ["2026-01"]})
        assert unknown.status_code == 422
        job = await ran(client, path)
        assert job["state"] == "failed"
        assert job["problem"]["type"] == "/problems/service-quality-too-few"
        assert "advice: nothing was observed" in job["problem"]["detail"]
        assert (await client.get(f"{path}/index")).status_code == 404


async def test_a_new_version_leaves_out_months_that_lack_its_indicators(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        model = declared(businesses=[business("counter"), business("advice")])
        path = await created(client, model)
        await observed(client, path)
        later = business("counter") | {"outcomes": [indicator("satisfied"), indicator("returning")]}
        answer = await client.post(ROOT, json=model | {"businesses": [later, business("advice")]})
        assert answer.json()["version"] == 2
        for period in ("2026-11", "2026-12"):
            table = answers(period)
            content = parquet(table.append_column("returning", table.column("satisfied")))
            taken = (await client.put(f"{path}/observations/{period}", content=content)).json()
            assert taken["version"] == 2
        job = await ran(client, path)
        run = (await client.get(f"{path}/runs/{job['id']}")).json()
        assert (run["version"], run["periods"]) == (2, ["2026-11", "2026-12"])
        assert run["left_out_periods"] == dict.fromkeys(PERIODS, "not observed: returning")
        listed = (await client.get(ROOT, params={"limit": 1000})).json()["items"]
        assert [one["version"] for one in listed if one["key"] == model["key"]] == [2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"businesses": []},
        {"businesses": [business("counter"), business("counter")]},
        {"businesses": [business("counter") | {"dimensions": []}]},
        {"businesses": [business("counter") | {"outcomes": [indicator("wait")]}]},
        {"overall": [indicator("date")]},
        {"overall": [indicator("nps", low=10, high=0)]},
        {"overall": [indicator("nps", high="1e400")]},
    ],
)
async def test_models_that_mean_nothing_are_refused(evaluation: Running, wrong: dict[str, object]) -> None:
    async with evaluation.client(Role.strategist) as client:
        answer = await client.post(ROOT, json=declared(**wrong))
        assert answer.status_code == 422
        assert answer.json()["errors"]


async def test_a_null_character_is_refused_not_a_crash(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        answer = await client.post(ROOT, json=declared(name={"zh": "a\x00b", "en": "x"}))
        assert answer.status_code == 422


async def test_unknown_models_and_runs_are_not_found(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        path = await created(client, declared())
        missing = f"{ROOT}/{declared()['key']}"
        for address in (missing, f"{missing}/index", f"{missing}/observations", f"{path}/runs/{new_id()}"):
            assert (await client.get(address)).status_code == 404, address
        assert (await client.post(f"{missing}:run")).status_code == 404
        assert (await client.put(f"{missing}/observations/2026-09", content=b"x")).status_code == 404
        assert (await client.put(f"{path}/observations/2026-13", content=b"x")).status_code == 422
