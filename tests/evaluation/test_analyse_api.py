"""A table uploaded to the service: the same answer as anywhere, and nothing kept."""

import gzip
import io

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.evaluation.queries.analysis_desk import TableDesk
from services.evaluation.store.tables import UnreadableTable
from shared.auth import Role
from shared.contracts.evaluation.analyse import Analysis
from tests.support import Running

OPTIONS = {"arm": "组别", "control": "对照", "metrics": ["金额"]}
ROWS = [("对照", float(value)) for value in range(40)] + [("实验", value + 3.5) for value in range(40)]
CSV = ("组别,金额\n" + "".join(f"{arm},{value}\n" for arm, value in ROWS)).encode()


def parquet() -> bytes:
    written = io.BytesIO()
    pq.write_table(
        pa.table({"组别": [arm for arm, _ in ROWS], "金额": [value for _, value in ROWS]}), written
    )
    return written.getvalue()


def stream() -> bytes:
    table = pa.table({"组别": [arm for arm, _ in ROWS], "金额": [value for _, value in ROWS]})
    written = io.BytesIO()
    with pa.ipc.new_stream(written, table.schema) as writer:
        writer.write_table(table)
    return written.getvalue()


def form(content: bytes, options: object = None) -> dict[str, object]:
    return {
        "files": {"file": ("table", content)},
        "data": {"options": orjson.dumps(OPTIONS if options is None else options).decode()},
    }


@pytest.mark.parametrize(
    "content", [CSV, gzip.compress(CSV), parquet(), stream()], ids=["csv", "gz", "parquet", "arrow"]
)
async def test_a_table_of_any_kind_has_one_answer(evaluation: Running, content: bytes) -> None:
    async with evaluation.client(Role.auditor) as client:
        answer = await client.post("/v1/experiments:analyse", **form(content))
        assert answer.status_code == 200, answer.text
        found = Analysis.model_validate(answer.json())
        assert (found.metrics[0].difference, found.metrics[0].n, found.control) == (3.5, 40, "对照")
        raw = await client.post(
            "/v1/experiments:analyse",
            content=content,
            params={"options": orjson.dumps(OPTIONS).decode()},
            headers={"Content-Type": "application/octet-stream"},
        )
        assert raw.json() == answer.json()
    desk = evaluation.runtime.resource(TableDesk)
    assert list(desk._folder.iterdir()) == []


async def test_what_cannot_be_analysed_is_a_problem_that_says_what(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:

        async def refused(sent: dict[str, object]) -> tuple[int, str, str]:
            answer = await client.post("/v1/experiments:analyse", **sent)
            assert answer.headers["content-type"] == "application/problem+json"
            body = answer.json()
            return answer.status_code, body["detail"], (body.get("errors") or [{"pointer": ""}])[0]["pointer"]

        status, detail, pointer = await refused(form(CSV, {**OPTIONS, "metrics": ["金客"]}))
        assert (status, pointer) == (422, "/metrics")
        assert "组别, 金额" in detail
        assert (await refused(form(CSV, {**OPTIONS, "alpha": 2})))[::2] == (422, "/options/alpha")
        assert (await refused(form(CSV, {**OPTIONS, "control": "无"})))[::2] == (422, "/control")
        assert (await refused(form(b"")))[::2] == (422, "/file")
        assert (await refused({"files": {"file": ("table", CSV)}}))[::2] == (422, "/options")
        assert (await refused({"data": {"options": "{}"}, "files": {"other": b"x"}}))[::2] == (422, "/file")
        nothing = {"headers": {"Content-Type": "multipart/form-data"}, "content": b"x"}
        assert (await refused(nothing))[0] == 400
        problem = await client.post("/v1/experiments:analyse", **form(b"PAR1 and no more"))
        assert problem.json()["type"] == f"/problems/{UnreadableTable.slug}"


async def test_a_table_too_large_is_refused_before_it_is_read(
    evaluation: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation.runtime.resource(TableDesk), "_most_bytes", 100)
    async with evaluation.client(Role.strategist) as client:
        answer = await client.post("/v1/experiments:analyse", **form(CSV))
        assert answer.status_code == 413
        assert "100 bytes" in answer.json()["detail"]


async def test_columns_are_described_to_choose_from(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        for content, kind in ((CSV, "csv"), (parquet(), "parquet"), (stream(), "arrow")):
            answer = await client.post("/v1/experiments:describe", content=content)
            assert answer.status_code == 200, answer.text
            assert answer.json() == {
                "format": kind,
                "columns": [
                    {"name": "组别", "numeric": False, "values": ["实验", "对照"]},
                    {"name": "金额", "numeric": True, "values": None},
                ],
                "notes": [],
            }
        broken = await client.post("/v1/experiments:describe", content=CSV + b"a,b,c\n")
        assert (broken.status_code, broken.json()["errors"][0]["pointer"]) == (422, "/file")


async def test_who_may_analyse(evaluation: Running) -> None:
    async with evaluation.client(Role.manager, org="hq.sh.pudong") as manager:
        assert (await manager.post("/v1/experiments:analyse", **form(CSV))).status_code == 403
    async with evaluation.client() as nobody:
        assert (await nobody.post("/v1/experiments:analyse", **form(CSV))).status_code == 401
