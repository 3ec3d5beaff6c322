"""Metrics are data: built in or defined by API, and never changed."""

import httpx
import pytest

from shared.auth import Role
from shared.ids import new_id
from shared.pagination import encode_cursor
from tests.evaluation.bank import Campaign
from tests.support import Running


def metric(**changes: object) -> dict[str, object]:
    return {
        "key": f"m-{new_id().hex[-12:]}",
        "name": {"zh": "刷卡", "en": "Card spend"},
        "kind": "sum",
        "window_days": 14,
        "source": {"events": [{"type": "card.spent"}]},
        "currency": "CNY",
        **changes,
    }


async def test_built_in_metrics_are_listed_with_those_defined_here(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        made = metric()
        answer = await client.post("/v1/metrics", json=made)
        assert answer.status_code == 201, answer.text
        listed = await every(client)
        assert made["key"] in listed
        assert {"net_inflow_30d", "txn_count_30d", "complaints_30d", "conversion", "opt_outs_30d"} <= set(
            listed
        )
        assert listed == sorted(listed)


async def every(client: httpx.AsyncClient) -> list[str]:
    keys: list[str] = []
    cursor = None
    while True:
        page = (
            await client.get("/v1/metrics", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        ).json()
        keys += [item["key"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return keys


@pytest.mark.parametrize("key", ["net_inflow_30d", None])
async def test_a_metric_cannot_be_redefined(evaluation: Running, key: str | None) -> None:
    async with evaluation.client(Role.strategist) as client:
        body = metric(**({"key": key} if key else {}))
        if key is None:
            assert (await client.post("/v1/metrics", json=body)).status_code == 201
        assert (await client.post("/v1/metrics", json=body)).status_code == 409


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "proportion"},
        {"kind": "count", "currency": None, "source": {"events": []}},
        {"source": {"events": [{"type": "card.spent", "where": {"account": "1"}}]}},
        {"window_days": 0},
        {"kind": "proportion", "currency": None, "covariate": True},
        {"source": {"events": [{"type": "card.spent'; DROP TABLE event; --"}]}},
    ],
)
async def test_what_cannot_be_measured_is_refused(evaluation: Running, wrong: dict[str, object]) -> None:
    async with evaluation.client(Role.strategist) as client:
        answer = await client.post("/v1/metrics", json=metric(**wrong))
        assert answer.status_code == 422
        assert answer.json()["errors"]


async def test_only_strategists_define_and_everybody_reads(evaluation: Running) -> None:
    async with evaluation.client(Role.auditor) as auditor:
        assert (await auditor.post("/v1/metrics", json=metric())).status_code == 403
        assert (await auditor.get("/v1/metrics")).status_code == 200
    async with evaluation.client(Role.manager, org="hq.sh.pudong") as manager:
        assert (await manager.get("/v1/metrics")).status_code == 200
    async with evaluation.client() as nobody:
        assert (await nobody.get("/v1/boards/strategy")).status_code == 401


async def test_unknown_campaigns_are_not_found(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        unknown = Campaign().id
        for path in ("registration", "result", "breakdown", "funnel", "health"):
            answer = await client.get(f"/v1/campaigns/{unknown}/{path}")
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.post(f"/v1/campaigns/{unknown}:evaluate")).status_code == 404


@pytest.mark.parametrize("place", ["name", "where"])
async def test_a_null_character_is_refused_not_a_crash(evaluation: Running, place: str) -> None:
    bad = {
        "name": {"name": {"zh": "a\x00b", "en": "x"}},
        "where": {"source": {"events": [{"type": "card.spent", "where": {"product": "a\x00b"}}]}},
    }[place]
    async with evaluation.client(Role.strategist) as client:
        answer = await client.post("/v1/metrics", json=metric(**bad))
        assert answer.status_code == 422


async def test_a_cursor_of_another_list_is_refused(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        for path, values in (("/v1/recommendations", ["a", "b"]), ("/v1/metrics", [1])):
            answer = await client.get(path, params={"cursor": encode_cursor(values)})
            assert answer.status_code == 400, path
