"""An insight from proposal to segment, through the HTTP API."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from scipy import stats

from shared.auth import Role
from tests.segmentation.conftest import Bank
from tests.support import Running

ORG = "hq.ins.north"
GROUP = {"sql": "occupation = 'nurse'"}
BALANCES = {
    "nurse": [1200, 1500, 1100, 1900, 1600, 1300, 1700, 1450],
    "cook": [900, 1000, 1150, 950, 870, 1020, 990, 1080, 940, 1010],
    "miner": [1000, 1010, 990, 1005, 995, 1002],
}


@pytest.fixture(scope="module")
async def people(segmentation: Running) -> None:
    bank = Bank(segmentation)
    customers, holdings = [], []
    for occupation, balances in BALANCES.items():
        for balance in balances:
            customer = bank.customer(org=ORG, occupation=occupation)
            customers.append(customer)
            holdings.append(bank.holding(customer, f"{balance}.00"))
    await bank.tell(customers=customers, holdings=holdings)


@pytest.fixture
async def head(segmentation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with segmentation.client(Role.branch_head, org=ORG, staff="H1") as client:
        yield client


async def proposed(client: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    values = {"title": "护士存得多", "text": "Nurses keep more with us than others.", "group": GROUP}
    answer = await client.post("/v1/insights", json=values | given)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def moved(client: httpx.AsyncClient, insight: dict[str, Any], to: str) -> httpx.Response:
    return await client.post(f"/v1/insights/{insight['id']}:move", json={"to": to})


CLAIM = {"metric": "aum", "direction": "higher", "minimal_difference": 100}


async def claimed(client: httpx.AsyncClient, insight: dict[str, Any], **given: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/insights/{insight['id']}:test", json=CLAIM | given)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.usefixtures("people")
async def test_from_an_idea_to_a_segment(head: httpx.AsyncClient, segmentation: Running) -> None:
    insight = await proposed(head, tags=["savings", "savings", "行业"], feature="aum")
    assert (insight["state"], insight["tags"]) == ("proposed", ["savings", "行业"])
    early = await head.post(f"/v1/insights/{insight['id']}:test", json=CLAIM)
    assert early.status_code == 409
    assert "discussed, archived" in early.json()["detail"]
    assert (await moved(head, insight, "discussed")).json()["next_states"] == ["testing", "archived"]
    result = await claimed(head, insight)
    nurses, others = BALANCES["nurse"], BALANCES["cook"] + BALANCES["miner"]
    reference = stats.ttest_ind(np.array(nurses) - 100.0, others, equal_var=False, alternative="greater")
    assert result["p_value"] == pytest.approx(float(reference.pvalue))
    assert result["p_adjusted"] == result["p_value"]
    assert (result["in_group"]["n"], result["compared"]["n"]) == (len(nurses), len(others))
    assert result["difference"] == pytest.approx(np.mean(nurses) - np.mean(others))
    assert (result["verdict"], result["org"]) == ("supported", ORG)
    assert result["stream_position"] > 0
    assert "cause" in result["caveat"]["en"]
    validated = await head.post(
        f"/v1/insights/{insight['id']}:move", json={"to": "validated", "reason": "数据支持"}
    )
    assert validated.json()["state"] == "validated", validated.text
    said = (await head.get(f"/v1/insights/{insight['id']}/comments")).json()["items"]
    assert [each["text"] for each in said] == ["数据支持"]
    async with segmentation.client(Role.strategist) as hq:
        wanted = {"key": "saving-nurses", "name": {"zh": "护士", "en": "Nurses"}}
        promoted = await hq.post(f"/v1/insights/{insight['id']}:promote", json=wanted)
        assert promoted.status_code == 201, promoted.text
        segment = promoted.json()
        assert (segment["state"], segment["definition"]["sql"]) == ("draft", GROUP["sql"])
        assert insight["id"] in segment["description"]
        shown = (await hq.get(f"/v1/insights/{insight['id']}")).json()
        assert shown["promoted_segment"] == segment["id"]
        assert [each["id"] for each in shown["results"]] == [result["id"]]
        twice = await hq.post(f"/v1/insights/{insight['id']}:promote", json=wanted | {"key": "again"})
        assert twice.status_code == 409


@pytest.mark.usefixtures("people")
async def test_searching_for_a_result_has_its_price(head: httpx.AsyncClient) -> None:
    insight = await proposed(head)
    await moved(head, insight, "discussed")
    first = await claimed(head, insight, against={"sql": "occupation = 'miner'"})
    assert first["compared"]["customers"] == len(BALANCES["miner"])
    # A comparison that takes in the group is made without it.
    overlapping = await claimed(head, insight, against={"sql": "occupation in ('nurse', 'miner')"})
    assert overlapping["compared"] == first["compared"]
    refuted = await claimed(head, insight, minimal_difference=2000)
    assert refuted["verdict"] == "contradicted"
    shown = (await head.get(f"/v1/insights/{insight['id']}")).json()
    assert [each["number"] for each in shown["results"]] == [3, 2, 1]
    p_values = [each["p_value"] for each in shown["results"]]
    corrected = stats.false_discovery_control(p_values, method="bh")
    assert [each["p_adjusted"] for each in shown["results"]] == pytest.approx(list(corrected))
    assert (await moved(head, insight, "validated")).status_code == 409
    assert (await moved(head, insight, "refuted")).json()["state"] == "refuted"
    nobody = {"sql": "occupation = 'astronaut'"}
    again = await head.post(f"/v1/insights/{insight['id']}:test", json=CLAIM)
    assert again.status_code == 409
    await moved(head, insight, "testing")
    none = await claimed(head, insight, group=nobody)
    assert (none["verdict"], none["p_value"], none["in_group"]["customers"]) == ("inconclusive", None, 0)
    assert none["reason"] is not None
    promoted = await head.post(
        f"/v1/insights/{insight['id']}:promote", json={"key": "x", "name": {"zh": "x", "en": "x"}}
    )
    assert promoted.status_code == 403


async def test_discussion_votes_and_evidence(segmentation: Running, head: httpx.AsyncClient) -> None:
    insight = await proposed(head, tags=["talk"])
    path = f"/v1/insights/{insight['id']}"
    async with segmentation.client(Role.manager, org=ORG, staff="M1") as manager:
        for value, expected in ((1, (1, 0, 1)), (-1, (0, 1, -1)), (-1, (0, 1, -1)), (0, (0, 0, 0))):
            votes = (await manager.post(f"{path}:vote", json={"value": value})).json()["votes"]
            assert (votes["up"], votes["down"], votes["mine"]) == expected
        await manager.post(f"{path}:vote", json={"value": 1})
        comment = await manager.post(f"{path}/comments", json={"text": "也看到了"})
        assert comment.status_code == 201
        assert (await moved(manager, insight, "discussed")).status_code == 403
        mine = {"If-Match": (await manager.get(path)).headers["ETag"]}
        assert (await manager.patch(path, json={"title": "x"}, headers=mine)).status_code == 403
    evidence = {"text": "上一轮活动", "kind": "evidence", "reference": "campaign/spring"}
    assert (await head.post(f"{path}/comments", json=evidence)).status_code == 201
    assert (await head.post(f"{path}/comments", json={"text": "x", "kind": "evidence"})).status_code == 422
    said = (await head.get(f"{path}/comments", params={"limit": 1})).json()
    assert (said["items"][0]["text"], said["items"][0]["author"]) == ("也看到了", "user:M1")
    rest = (await head.get(f"{path}/comments", params={"cursor": said["next_cursor"]})).json()["items"]
    assert [(each["kind"], each["reference"]) for each in rest] == [("evidence", "campaign/spring")]
    shown = (await head.get(path)).json()
    assert (shown["votes"], shown["comments"]) == ({"up": 1, "down": 0, "mine": 0}, 2)
    await moved(head, insight, "archived")
    for answer in (
        await head.post(f"{path}:vote", json={"value": 1}),
        await head.post(f"{path}/comments", json={"text": "too late"}),
        await moved(head, insight, "proposed"),
    ):
        assert answer.status_code == 409


async def test_changing_and_finding(segmentation: Running, head: httpx.AsyncClient) -> None:
    insight = await proposed(head, tags=["to-find"])
    path = f"/v1/insights/{insight['id']}"
    etag = (await head.get(path)).headers["ETag"]
    assert (await head.patch(path, json={"text": "x"})).status_code == 428
    changed = await head.patch(
        path, json={"text": "better", "group": None, "feature": "aum"}, headers={"If-Match": etag}
    )
    assert (changed.json()["text"], changed.json()["group"]) == ("better", None)
    assert (await head.patch(path, json={"text": "x"}, headers={"If-Match": etag})).status_code == 412
    found = (await head.get("/v1/insights", params={"tag": "to-find", "state": "proposed"})).json()["items"]
    assert [each["id"] for each in found] == [insight["id"]]
    assert (await head.get("/v1/insights", params={"tag": "to-find", "state": "refuted"})).json()[
        "items"
    ] == []
    async with segmentation.client(Role.strategist) as hq:
        above = await proposed(hq, tags=["to-find"], org="hq.ins")
        listed = (await hq.get("/v1/insights", params={"tag": "to-find"})).json()["items"]
        assert [each["id"] for each in listed] == [above["id"], insight["id"]]
    assert (await head.get(f"/v1/insights/{above['id']}")).status_code == 200
    assert (await head.post(f"/v1/insights/{above['id']}:vote", json={"value": 1})).status_code == 200
    assert (await moved(head, above, "discussed")).status_code == 403
    async with segmentation.client(Role.branch_head, org="hq.ins.south") as south:
        assert (await south.get(path)).status_code == 404
        assert (await south.get(f"/v1/insights/{above['id']}")).status_code == 200


async def test_bad_insights_are_problems_with_a_place(head: httpx.AsyncClient) -> None:
    good = {"title": "t", "text": "t"}
    for change, pointer in (
        ({"text": "电话 13800138000"}, "/text"),
        ({"title": "a\0b"}, "/title"),
        ({"tags": ["li.lei@example.com"]}, "/tags/0"),
        ({"segment": "no-such-segment"}, "/segment"),
        ({"feature": "no_such_feature"}, "/feature"),
        ({"group": {"sql": "aumm > 1"}}, "/group/sql"),
        ({"group": {"segment": "no-such-segment"}}, "/group"),
    ):
        answer = await head.post("/v1/insights", json=good | change)
        assert answer.status_code == 422, (change, answer.text)
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await head.post("/v1/insights", json=good | {"org": "hq.elsewhere"})).status_code == 403
    insight = await proposed(head, group=None)
    await moved(head, insight, "discussed")
    path = f"/v1/insights/{insight['id']}:test"
    for claim, pointer in (
        (CLAIM, "/group"),
        (CLAIM | {"group": GROUP, "metric": "aumm"}, "/metric"),
        (CLAIM | {"group": GROUP, "metric": "occupation"}, "/metric"),
        (CLAIM | {"group": GROUP, "minimal_difference": -1}, "/minimal_difference"),
        (CLAIM | {"group": GROUP, "minimal_difference": 1e300}, "/minimal_difference"),
        (CLAIM | {"group": GROUP, "against": {"sql": "1/0"}}, "/against/sql"),
    ):
        answer = await head.post(path, json=claim)
        assert answer.status_code == 422, (claim, answer.text)
        assert answer.json()["errors"][0]["pointer"] == pointer
