"""Features that people define, over the API of a running service."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from httpx import AsyncClient, Response

from shared.auth import Role
from tests.segmentation.conftest import Bank, members
from tests.support import Running

Live = Callable[..., Awaitable[dict[str, Any]]]


def _body(key: str, expression: str, **extra: Any) -> dict[str, Any]:
    return {"key": key, "name": {"zh": key, "en": key}, "expression": expression, **extra}


async def _made(client: AsyncClient, key: str, expression: str, **extra: Any) -> dict[str, Any]:
    made = await client.post("/v1/features", json=_body(key, expression, **extra))
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def _archived(client: AsyncClient, path: str) -> Response:
    tag = (await client.get(path)).headers["ETag"]
    return await client.delete(path, headers={"If-Match": tag})


async def test_a_feature_is_defined_and_tried(segmentation: Running, bank: Bank) -> None:
    rich, poor, none = bank.customer(), bank.customer(), bank.customer()
    await bank.tell(
        customers=[rich, poor, none],
        holdings=[
            bank.holding(rich, "900.00"),
            bank.holding(rich, "100.00", account="L1", product="loan-1", category="loan"),
            bank.holding(poor, "50.00"),
            bank.holding(poor, "100.00", account="L2", product="loan-1", category="loan"),
            bank.holding(none, "10.00"),
        ],
    )
    async with segmentation.client(Role.strategist) as client:
        found = await _made(client, "assets_to_loan", "aum/loan_balance", unit="%")
        assert found["expression"] == "aum / loan_balance"
        assert found["lineage"] == ["feature:aum", "feature:loan_balance"]
        assert (found["freshness"], found["missing"], found["built_in"]) == ("realtime", "unknown", False)
        again = await client.post("/v1/features", json=_body("assets_to_loan", "aum"))
        assert again.status_code == 409
        tried = await client.post("/v1/features:preview", json={"expression": "assets_to_loan * 2"})
        assert tried.status_code == 200, tried.text
        view = tried.json()
        assert 2 <= view["known"] < view["of"]
        assert view["maximum"] >= 18.0
        for sql, expected in (
            ("assets_to_loan between 8.9 and 9.1", rich),
            ("assets_to_loan between 0.4 and 0.6", poor),
        ):
            body = {"definition": {"sql": sql}, "sample": 100}
            preview = await client.post("/v1/segments:preview", json=body)
            assert str(expected.customer_id) in preview.json()["sample"]


async def test_members_follow_an_own_feature(segmentation: Running, bank: Bank, live: Live) -> None:
    busy, idle = bank.customer(), bank.customer()
    await bank.tell(
        customers=[busy, idle],
        events=[bank.event(busy, "login", days_ago=2), bank.event(busy, "login", days_ago=3)],
    )
    async with segmentation.client(Role.strategist) as client:
        await _made(client, "double_logins", "2 * count_events('login', 5) + login_count_30d")
    segment = await live("with-own-feature", "double_logins = 6")
    assert busy.customer_id in await members(segmentation, "with-own-feature")
    assert segment["definition"]["tree"]["feature"] == "double_logins"
    async with segmentation.client(Role.strategist) as client:
        path = f"/v1/segments/with-own-feature/explain/{busy.customer_id}"
        leaf = (await client.get(path)).json()["leaves"][0]
        assert (leaf["value"], leaf["holds"], len(leaf["evidence"])) == (6.0, True, 2)
        assert (await _archived(client, "/v1/segments/with-own-feature")).status_code == 200


async def test_what_is_in_use_keeps_its_meaning(segmentation: Running) -> None:
    path = "/v1/features/base_of_all"
    async with segmentation.client(Role.strategist) as client:
        await _made(client, "base_of_all", "aum + 1")
        await _made(client, "on_top_of_it", "base_of_all / 2")
        body = {
            "key": "on-top",
            "name": {"zh": "x", "en": "x"},
            "definition": {"any": [{"percentile": "on_top_of_it", "op": "gte", "value": 90}]},
        }
        assert (await client.post("/v1/segments", json=body)).status_code == 201
        assert (await client.post("/v1/segments/on-top:publish")).status_code == 200
        others = await _made_of(client, "on_top_of_it")
        shown = await client.get(path)
        assert shown.json()["used_by"] == sorted(["feature:on_top_of_it", "segment:on-top", *others])
        tag = {"If-Match": shown.headers["ETag"]}
        assert (await client.patch(path, json={"expression": "aum"})).status_code == 428
        refused = await client.patch(path, json={"expression": "aum"}, headers=tag)
        assert refused.status_code == 409
        assert "segment:on-top" in refused.json()["detail"]
        renamed = await client.patch(path, json={"name": {"zh": "基", "en": "Base"}}, headers=tag)
        assert renamed.json()["name"]["en"] == "Base"
        assert (await client.patch(path, json={"unit": None}, headers=tag)).status_code == 412
        assert (await _archived(client, path)).status_code == 409


async def _made_of(client: AsyncClient, feature: str) -> list[str]:
    """Everything beside rules of segments that may read a feature; as `used_by` names them."""
    name = {"zh": "x", "en": "x"}
    rule = {"sql": f"{feature} > 1"}
    split = {"name": "assets", "features": [feature], "k": 2}
    tactical = {"strategic": ["on-top"], "splits": [split]}
    bands = {"feature": feature, "cutoffs": [1, 2, 3, 4]}
    factors = [{"key": "size", "name": name, "bands": bands}, {"key": "trend", "name": name}]
    rivals = [{"key": "us", "name": name}, {"key": "them", "name": name}]
    tiers = [{"code": "basic", "name": name}, {"code": "gold", "name": name, "upgrade_at": 5}]
    profile = {"org": "hq.features", "definition": rule, "tolerances": {"contacts": 0.6}}
    bodies: dict[str, dict[str, Any]] = {
        "models": {"key": "of-it-rfm", "name": name, "kind": "rfm", "parameters": {"monetary": feature}},
        "models ": {"key": "of-it-tactical", "name": name, "kind": "tactical", "parameters": tactical},
        "tier-schemes": {"key": "of-it", "name": name, "feature": feature, "tiers": tiers},
        "ge-matrices": {"key": "of-it", "name": name, "attractiveness": factors, "competitiveness": rivals},
        "target-profiles": {"name": name, "valid_from": "2020-01-01", **profile},
        "insights": {"title": "x", "text": "x", "group": rule},
        "insights ": {"title": "x", "text": "x", "feature": feature},
    }
    found = []
    for path, body in bodies.items():
        made = await client.post(f"/v1/{path.strip()}", json=body)
        assert made.status_code == 201, (path, made.text)
        kind = {"ge-matrices": "ge-matrix"}.get(path, path.strip().removesuffix("s"))
        found.append(f"{kind}:{made.json().get('key') or made.json()['id']}")
    return found


async def test_archived_it_is_kept_for_what_was(segmentation: Running) -> None:
    async with segmentation.client(Role.strategist) as client:
        await _made(client, "of_yesterday", "aum + 1")
        body = {
            "key": "of-yesterday",
            "name": {"zh": "x", "en": "x"},
            "definition": {"sql": "of_yesterday > 1"},
        }
        assert (await client.post("/v1/segments", json=body)).status_code == 201
        assert (await _archived(client, "/v1/segments/of-yesterday")).status_code == 200
        archived = await _archived(client, "/v1/features/of_yesterday")
        assert archived.json()["archived"] is True
        kept = await client.get("/v1/segments/of-yesterday")
        assert kept.json()["definition"]["sql"] == "of_yesterday > 1"
        preview = await client.post("/v1/segments:preview", json={"definition": body["definition"]})
        assert preview.status_code == 422
        assert "archived (line 1, column 1)" in preview.json()["errors"][0]["detail"]
        listed = (await client.get("/v1/features")).json()["items"]
        assert len(listed) >= 50
        assert "of_yesterday" not in {each["key"] for each in listed}
        every = (await client.get("/v1/features", params={"archived": True})).json()["items"]
        assert "of_yesterday" in {each["key"] for each in every}


@pytest.mark.parametrize(
    ("expression", "detail"),
    [
        ("aum / 0", "division by zero (line 1, column 7)"),
        ("aum / -(0.0)", "division by zero"),
        ("aum +\n  agee", "no feature 'agee'; did you mean 'age'? (line 2, column 3)"),
        ("aum + gender", "'gender' is a text, not a number (line 1, column 7)"),
        ("(select 1)", "is not arithmetic"),
        ("aum % 2", "is not arithmetic"),
        ("case when aum > 1 then 1 end", "is not arithmetic"),
        ("read_csv('x')", "is not arithmetic"),
        ("1 + 2", "at least one feature"),
        ("round(aum, 9)", "0 to 6 decimals"),
        ("aum; drop table x", "more than one expression"),
        ("broken_ratio + 1", "circle"),
        ("aum" + " + aum" * 150, "at most 100 deep"),
        ("aum * " * 50 + "\x00", "(line 1"),
    ],
)
async def test_a_bad_expression_is_refused_with_its_place(
    segmentation: Running, expression: str, detail: str
) -> None:
    async with segmentation.client(Role.strategist) as client:
        found = await client.post("/v1/features", json=_body("broken_ratio", expression))
        if detail == "circle":
            # A feature cannot name itself before it exists; afterwards that closes a circle.
            assert found.status_code == 422
            await client.post("/v1/features", json=_body("broken_ratio", "aum"))
            await client.post("/v1/features", json=_body("broken_other", "broken_ratio * 2"))
            tag = (await client.get("/v1/features/broken_ratio")).headers["ETag"]
            found = await client.patch(
                "/v1/features/broken_ratio", json={"expression": "broken_other"}, headers={"If-Match": tag}
            )
    assert found.status_code == 422, found.text
    error = found.json()["errors"][0]
    assert error["pointer"] == "/expression"
    assert detail in error["detail"]


async def test_only_strategists_define(segmentation: Running) -> None:
    async with segmentation.client(Role.manager) as client:
        assert (await client.post("/v1/features", json=_body("not_mine", "aum"))).status_code == 403
        assert (await client.get("/v1/features/aum")).json()["built_in"] is True
        assert (await client.get("/v1/features/auum")).status_code == 404
        assert (await client.patch("/v1/features/aum", json={})).status_code == 403


async def test_huge_values_are_unknown_not_an_error(segmentation: Running, bank: Bank) -> None:
    customer = bank.customer()
    await bank.tell(customers=[customer], holdings=[bank.holding(customer, str(Decimal(10) ** 15))])
    async with segmentation.client(Role.strategist) as client:
        tried = await client.post(
            "/v1/features:preview", json={"expression": "*".join(["aum"] * 25) + " - aum"}
        )
    assert tried.status_code == 200, tried.text
    assert tried.json()["known"] < tried.json()["of"]
