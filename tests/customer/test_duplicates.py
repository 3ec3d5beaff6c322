"""Pairs that may be the same person: found, explained, scoped, dismissed."""

import math
from typing import Any

import httpx
import pytest

from services.customer.domain.duplicates import LEAST_SCORE, PRIOR, WEIGHTS, score
from tests.customer.conftest import Bank, number, person
from tests.customer.merge_world import merged, undo
from tests.customer.test_imports import CUSTOMER, as_csv, run
from tests.support import eventually


async def pairs(bank: Bank, client: httpx.AsyncClient | None = None, **params: Any) -> list[dict[str, Any]]:
    answer = await (client or bank.head_sh).get(
        "/v1/duplicates", params={"min_score": 0, "limit": 1000, **params}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def of(bank: Bank, customer: dict[str, Any], **params: Any) -> dict[str, dict[str, Any]]:
    """By the other one's id."""
    found = await pairs(bank, customer_id=customer["id"], **params)
    return {one["id"]: pair for pair in found for one in pair["customers"] if one["id"] != customer["id"]}


async def find(bank: Bank) -> dict[str, Any]:
    answer = await bank.admin.post("/v1/duplicates:find")
    assert answer.status_code == 202, answer.text
    path = answer.headers["Location"]

    async def done() -> bool:
        return (await bank.admin.get(path)).json()["state"] in {"succeeded", "failed"}

    await eventually(done, what="the search")
    job = (await bank.admin.get(path)).json()
    assert job["state"] == "succeeded", job
    return job["result"]


def alone(**changes: Any) -> dict[str, Any]:
    """Somebody who shares nothing with anybody."""
    n = number()
    born = f"{1900 + n % 90}-{n // 90 % 12 + 1:02d}-{n // 1080 % 28 + 1:02d}"
    return person(
        name=f"独孤{n}", id_number=f"ID-{n}", phone=f"170{n % 10**8:08d}", birth_date=born, **changes
    )


def verdicts(pair: dict[str, Any]) -> dict[str, str]:
    return {item["key"]: item["verdict"] for item in pair["evidence"]}


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({"id_number": "agree", "phone": "agree", "name": "agree"}, 0.9999997),
        ({"id_number": "agree", "name": "disagree", "phone": "disagree"}, 0.9525741),
        ({"phone": "agree", "name": "agree"}, 0.9525741),
        ({"phone": "agree", "name": "disagree"}, 0.0474259),
        ({"name": "agree", "birth_date": "agree", "gender": "agree"}, 0.7310586),
        ({"phone": "agree", "name": "agree", "id_number": "disagree"}, 0.0474259),
    ],
)
def test_scores_are_the_sum_of_their_weights(evidence: dict[str, str], expected: float) -> None:
    assert score(evidence) == pytest.approx(expected, abs=1e-6)
    total = PRIOR + sum(WEIGHTS[key][verdict == "disagree"] for key, verdict in evidence.items())
    assert score(evidence) == pytest.approx(1 / (1 + math.exp(-total)))
    assert score(evidence) >= LEAST_SCORE


async def test_a_new_customer_is_compared_at_once(bank: Bank) -> None:
    first = alone()
    a = await bank.customer(**first)
    same_id = await bank.customer(**{**alone(), "id_number": first["id_number"]})
    shared_phone = await bank.customer(
        **{**alone(), "phone": f"+86 {first['phone']}", "id_number": None, "birth_date": None}
    )
    same_name = await bank.customer(
        **{
            **alone(),
            "name": first["name"],
            "birth_date": first["birth_date"],
            "phone": None,
            "id_number": None,
        }
    )
    await bank.customer(**alone())
    found = await of(bank, a)
    assert set(found) == {same_id["id"], shared_phone["id"], same_name["id"]}
    assert verdicts(found[same_id["id"]]) == {
        "id_number": "agree",
        "phone": "disagree",
        "name": "disagree",
        "birth_date": "disagree",
        "gender": "agree",
    }
    assert verdicts(found[same_name["id"]]) == {"name": "agree", "birth_date": "agree", "gender": "agree"}
    assert verdicts(found[shared_phone["id"]]) == {"phone": "agree", "name": "disagree", "gender": "agree"}
    for pair in found.values():
        logit = PRIOR + sum(item["weight"] for item in pair["evidence"])
        assert pair["score"] == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-4)
        assert all("*" in one["name"] for one in pair["customers"])
    likely = await of(bank, a, min_score=0.7)
    assert set(likely) == {same_name["id"]}
    assert await of(bank, a, org="hq.bj") == {}
    assert len(await of(bank, a, org="hq.sh")) == 3


async def test_a_change_brings_pairs_and_takes_them_away(bank: Bank) -> None:
    first, second = alone(), alone()
    a, b = await bank.customer(**first), await bank.customer(**second)
    assert await of(bank, a) == {}
    path = f"/v1/customers/{b['id']}"
    change = {"id_number": first["id_number"]}
    assert (await bank.head_sh.patch(path, json=change, headers={"If-Match": '"v1"'})).status_code == 200
    assert set(await of(bank, a)) == {b["id"]}
    back = {"id_number": second["id_number"]}
    assert (await bank.head_sh.patch(path, json=back, headers={"If-Match": '"v2"'})).status_code == 200
    assert await of(bank, a) == {}


async def test_the_search_finds_what_imports_brought(bank: Bank) -> None:
    n = number()
    blank = {**dict.fromkeys(CUSTOMER, ""), "source": "core", "kind": "person", "org": "hq.sh.pudong"}
    rows = [
        {
            **blank,
            "source_id": f"d{n}-1",
            "name": f"东方{n}",
            "id_number": f"IMP-{n}",
            "phone": "13011112222",
        },
        {**blank, "source_id": f"d{n}-2", "name": f"东 方{n}", "id_number": f"imp {n}".replace(" ", "-")},
        {**blank, "source_id": f"d{n}-3", "name": f"西门{n}"},
    ]
    assert (await run(bank, "customers", as_csv(rows)))["counts"]["created"] == 3
    items = [{"source": "core", "source_id": f"d{n}-{i}"} for i in (1, 2, 3)]
    resolved = (await bank.core.post("/v1/customers:resolve", json={"items": items})).json()["items"]
    a, b, c = ({"id": one["customer_id"]} for one in resolved)
    assert await of(bank, a) == {}
    result = await find(bank)
    assert result["open"] >= 1
    assert set(await of(bank, a)) == {b["id"]}
    assert verdicts((await of(bank, a))[b["id"]]) == {"id_number": "agree", "name": "agree"}
    assert await of(bank, c) == {}
    again = await find(bank)
    assert (again["open"], again["no_longer"]) == (result["open"], 0)


async def test_many_with_one_phone_do_not_make_a_flood(bank: Bank) -> None:
    """Of a crowd with one identity number each is compared with the first: n - 1 pairs, not n²."""
    n = number()
    blank = {**dict.fromkeys(CUSTOMER, ""), "source": "core", "kind": "person", "org": "hq.sh.pudong"}
    rows = [
        {**blank, "source_id": f"m{n}-{i}", "name": f"南宫{n}", "id_number": f"CROWD-{n}"} for i in range(60)
    ]
    await run(bank, "customers", as_csv(rows))
    await find(bank)
    items = [{"source": "core", "source_id": f"m{n}-{i}"} for i in range(60)]
    resolved = (await bank.core.post("/v1/customers:resolve", json={"items": items})).json()["items"]
    ids = {one["customer_id"] for one in resolved}
    stored = await bank.sql(
        "SELECT count(*) FROM duplicate WHERE first_id = ANY(CAST(:ids AS uuid[]))", ids=list(ids)
    )
    assert stored == [(59,)]


async def test_dismissed_pairs_do_not_come_back(bank: Bank) -> None:
    first = alone()
    a = await bank.customer(**first)
    b = await bank.customer(**{**alone(), "id_number": first["id_number"]})
    pair = (await of(bank, a))[b["id"]]
    path = f"/v1/duplicates/{pair['id']}"
    assert (await bank.manager_sh.post(f"{path}:dismiss", json={"reason": "父子"})).status_code == 403
    assert (await bank.head_sh.post(f"{path}:dismiss", json={"reason": ""})).status_code == 422
    done = (await bank.head_sh.post(f"{path}:dismiss", json={"reason": "父子"})).json()
    assert (done["state"], done["reason"], done["decided_by"]) == ("dismissed", "父子", "user:S4")
    assert (await bank.head_sh.post(f"{path}:dismiss", json={"reason": "x"})).status_code == 409
    await find(bank)
    patch = {"gender": "F"}
    await bank.head_sh.patch(f"/v1/customers/{a['id']}", json=patch, headers={"If-Match": '"v1"'})
    assert await of(bank, a) == {}
    assert set(await of(bank, a, state="dismissed")) == {b["id"]}
    c = await bank.customer(**alone())
    merge_id = await merged(bank, c["id"], b["id"])
    assert await of(bank, c) == {}, "the dismissed pair came back as the survivor's"
    assert (await undo(bank, merge_id)).status_code == 200
    assert (await bank.head_sh.post(f"{path}:reopen")).json()["state"] == "open"
    assert set(await of(bank, a)) == {b["id"]}
    assert (await bank.head_sh.post(f"{path}:reopen")).status_code == 409


async def test_pairs_follow_merges(bank: Bank) -> None:
    """Merged, the pair is done; what the merged shares with others is the survivor's; undone, all is back."""
    first = alone()
    a = await bank.customer(**alone())
    b = await bank.customer(**first)
    c = await bank.customer(**{**alone(), "id_number": first["id_number"]})
    assert set(await of(bank, b)) == {c["id"]}
    merge_id = await merged(bank, a["id"], b["id"])
    assert set(await of(bank, a)) == {c["id"]}
    assert await of(bank, b) == {}
    await find(bank)
    assert set(await of(bank, c)) == {a["id"]}
    await undo(bank, merge_id)
    assert (set(await of(bank, a)), set(await of(bank, b))) == (set(), {c["id"]})


async def test_pairs_with_another_branch_are_not_shown(bank: Bank) -> None:
    first = alone()
    a = await bank.customer(**first)
    b = await bank.customer(
        **{
            **alone(org="hq.bj.haidian", primary_manager="S3", backup_manager=None),
            "id_number": first["id_number"],
        }
    )
    assert len(await pairs(bank, bank.admin, customer_id=a["id"])) == 1
    for client in (bank.head_sh, bank.manager_sh, bank.manager_bj):
        assert await pairs(bank, client, customer_id=a["id"]) == []
        assert await pairs(bank, client, customer_id=b["id"]) == []
    shown = (await pairs(bank, bank.admin, customer_id=a["id"]))[0]
    refused = await bank.head_sh.post(f"/v1/duplicates/{shown['id']}:dismiss", json={"reason": "r"})
    assert refused.status_code == 404


async def test_pages_go_from_the_likeliest_down(bank: Bank) -> None:
    first = alone()
    a = await bank.customer(**first)
    for change in ({"id_number": first["id_number"]}, {"phone": first["phone"], "id_number": None}):
        await bank.customer(**{**alone(), **change})
    scores, cursor = [], None
    while True:
        params = {
            "customer_id": a["id"],
            "min_score": 0,
            "limit": 1,
            **({"cursor": cursor} if cursor else {}),
        }
        page = (await bank.head_sh.get("/v1/duplicates", params=params)).json()
        scores += [item["score"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert scores == sorted(scores, reverse=True)
    assert len(scores) >= 1
    for bad in (
        {"min_score": "nan"},
        {"min_score": 2},
        {"state": "gone"},
        {"customer_id": "x"},
        {"org": "A B"},
    ):
        assert (await bank.head_sh.get("/v1/duplicates", params=bad)).status_code == 422, bad
