"""Data quality through the API: a fix raises the score at once, summaries and worklists follow."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from shared import clock
from tests.customer.conftest import Bank, number, person
from tests.customer.value_world import code, hold, put_model, run
from tests.support import eventually


def mainland_id(born: str = "19900101", *, woman: bool = True) -> str:
    """A valid number nobody had before."""
    sequence = number() % 500 * 2 + (0 if woman else 1)
    region = 110000 + number() % 9_000
    digits = f"{region}{born}{sequence:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))
    return digits + "10X98765432"[total % 11]


def complete(**changes: Any) -> dict[str, Any]:
    """A file without a fault."""
    plain = {
        "id_number": mainland_id(),
        "birth_date": "1990-01-01",
        "gender": "F",
        "occupation": "教师",
        "risk_level": "C3",
        "risk_valid_until": (clock.today() + timedelta(days=100)).isoformat(),
        "customer_since": "2020-01-01",
    }
    return person(**{**plain, **changes})


async def quality_of(bank: Bank, customer_id: str) -> dict[str, Any]:
    answer = await bank.head_sh.get(f"/v1/customers/{customer_id}/quality")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def patch(bank: Bank, customer: dict[str, Any], **changes: Any) -> None:
    path = f"/v1/customers/{customer['id']}"
    etag = (await bank.head_sh.get(path)).headers["ETag"]
    answer = await bank.head_sh.patch(path, json=changes, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text


async def new_branch(bank: Bank) -> str:
    unit = f"hq.sh.q{number()}"
    body = {"level": "subbranch", "name": {"zh": unit, "en": unit}}
    assert (await bank.admin.put(f"/v1/orgs/{unit}", json=body)).status_code == 200
    return unit


async def kept(bank: Bank, customer_id: str) -> dict[str, Any]:
    """What summaries and worklists know."""
    rows = await bank.sql(
        "SELECT version, score, failing FROM quality_result WHERE customer_id = CAST(:id AS uuid)",
        id=customer_id,
    )
    return {"version": rows[0].version, "score": rows[0].score, "failing": rows[0].failing} if rows else {}


async def test_a_fix_raises_the_score_at_once(bank: Bank) -> None:
    body = complete(id_number="110105194912310021", email=None)
    customer = await bank.customer(**{**body, "occupation": None})
    before = await quality_of(bank, customer["id"])
    assert [rule["code"] for rule in before["failing"]] == [
        "id-number-valid",
        "occupation-present",
        "email-present",
    ]
    assert before["failing"][0]["advice"]["zh"] == "核对证件原件并更正号码"
    # Weights that apply: 62 completeness (10 10 5 2 5 2 5 8 3 8 4), 24 validity, 13 freshness, 14 uniqueness.
    assert before["completeness"] == "88.71"  # 55 of 62
    assert before["score"] == "84.96"  # 96 of 113
    await patch(bank, customer, id_number=mainland_id(), occupation="医生", email="a@example.com")
    after = await quality_of(bank, customer["id"])
    assert (after["score"], after["failing"]) == ("100.00", [])
    assert after["version"] == before["version"] + 1

    async def known() -> bool:
        return (await kept(bank, customer["id"])).get("score") == 100

    await eventually(known, what="the stored result")


async def test_twins_are_told_of_each_other_and_freed(bank: Bank) -> None:
    phone = f"139{number() % 100_000_000:08d}"
    first = await bank.customer(**complete(phone=phone))
    assert (await quality_of(bank, first["id"]))["failing"] == []
    second = await bank.customer(
        **complete(phone=phone, org="hq.bj.haidian", primary_manager="S3", backup_manager=None)
    )
    # The twin is of another branch, which this manager does not see.
    assert [r["code"] for r in (await quality_of(bank, first["id"]))["failing"]] == ["phone-unique"]

    async def both_know() -> bool:
        return all(
            ["phone-unique" in (await kept(bank, c["id"])).get("failing", []) for c in (first, second)]
        )

    await eventually(both_know, what="the twins' results", seconds=30)
    await patch(bank, first, phone=f"137{number() % 100_000_000:08d}")

    async def freed() -> bool:
        return not any(["phone-unique" in (await kept(bank, c["id"]))["failing"] for c in (first, second)])

    await eventually(freed, what="the freed results", seconds=30)


async def test_merged_and_erased_customers_are_not_judged(bank: Bank) -> None:
    phone = f"136{number() % 100_000_000:08d}"
    survivor, merged = [await bank.customer(**complete(phone=phone)) for _ in range(2)]

    async def judged() -> bool:
        return bool(await kept(bank, merged["id"]))

    await eventually(judged, what="the result", seconds=30)
    await bank.sql(
        "UPDATE customer SET merged_into = CAST(:s AS uuid), status = 'merged', version = version + 1,"
        " updated_at = :now WHERE id = CAST(:m AS uuid) RETURNING 1",
        s=survivor["id"],
        m=merged["id"],
        now=clock.now(),
    )
    assert (await bank.manager_sh.get(f"/v1/customers/{merged['id']}/quality")).status_code == 404
    assert (await quality_of(bank, survivor["id"]))["failing"] == []

    async def gone() -> bool:
        return not await kept(bank, merged["id"])

    await eventually(gone, what="the merged file's result to go", seconds=30)


async def test_the_job_the_summary_and_the_worklist(bank: Bank) -> None:
    unit = await new_branch(bank)
    good = await bank.customer(**complete(org=unit))
    poor = await bank.customer(**complete(org=unit))
    await patch(bank, poor, occupation=None, email="a@nowhere")
    rich = await bank.customer(**complete(org=unit))
    await patch(bank, rich, email="a@nowhere")
    await hold(bank, rich, ("D", "demand-deposit", "900000.00", "2026-09-30"))
    async with bank.service.client(*_head(), org=unit) as head:
        started = await head.post("/v1/quality:run")
        assert started.status_code == 202, started.text

        async def done() -> bool:
            return (await head.get(started.headers["Location"])).json()["state"] == "succeeded"

        await eventually(done, what="the job")
        assert (await head.get(started.headers["Location"])).json()["counts"] == {"customers": 3}
        summary = (await head.get("/v1/quality/summary", params={"by": "manager"})).json()
    assert summary["customers"] == 3
    # 62 + 31 + 13 + 14 = 120 apply to each; 113 and 118 of them are met by the other two.
    scores = [(await quality_of(bank, c["id"]))["score"] for c in (good, poor, rich)]
    assert scores == ["100.00", "94.17", "98.33"]
    assert summary["score"] == "97.50"
    assert [(g["manager"], g["customers"]) for g in summary["groups"]] == [("S1", 3)]
    assert summary["failing"][0] == {
        "code": "email-valid",
        "name": {"zh": "邮箱格式正确", "en": "E-mail address is possible"},
        "customers": 2,
    }
    assert [(point["day"], point["customers"], point["score"]) for point in summary["trend"]] == [
        (clock.today().isoformat(), 3, "97.50")
    ]
    by_org = (await bank.head_sh.get("/v1/quality/summary", params={"by": "org", "org": "hq.sh"})).json()
    assert {g["org"]: g["customers"] for g in by_org["groups"]}[unit] == 3
    params: dict[str, Any] = {"org": unit, "model": "no-model"}
    plain = (await bank.head_sh.get("/v1/quality/worklist", params=params)).json()["items"]
    assert [item["customer_id"] for item in plain] == [poor["id"], rich["id"]]
    name = code()
    await put_model(bank, name)
    await run(bank, name)
    params = {"org": unit, "model": name, "limit": 1}
    page = (await bank.head_sh.get("/v1/quality/worklist", params=params)).json()
    top = page["items"][0]
    assert top["customer_id"] == rich["id"]
    expected = (100 - Decimal(top["score"])) * (1 + Decimal(top["contribution"]))
    assert Decimal(top["priority"]) == expected
    rest = await bank.head_sh.get("/v1/quality/worklist", params={**params, "cursor": page["next_cursor"]})
    assert [item["customer_id"] for item in rest.json()["items"]] == [poor["id"]]
    by_rule = {"org": unit, "rule": "occupation-present", "manager": "S1"}
    found = (await bank.head_sh.get("/v1/quality/worklist", params=by_rule)).json()["items"]
    assert [item["customer_id"] for item in found] == [poor["id"]]
    assert [r["code"] for r in found[0]["failing"]] == ["occupation-present", "email-valid"]
    others = await bank.manager_bj.get("/v1/quality/worklist", params={"limit": 1000})
    assert poor["id"] not in others.text
    assert (await bank.manager_bj.get("/v1/quality/summary", params={"org": unit})).json()["customers"] == 0


def _head() -> Any:
    from shared.auth import Role

    return (Role.branch_head,)


async def test_rules_are_data(bank: Bank) -> None:
    customer = await bank.customer(**complete(address="no province"))
    assert (await quality_of(bank, customer["id"]))["failing"] == []
    name = f"r{number()}"
    rule = {
        "name": {"zh": "地址含省市", "en": "Address names the province"},
        "advice": {"zh": "补全地址", "en": "Complete the address"},
        "dimension": "validity",
        "check": {"kind": "pattern", "field": "address", "pattern": ".*(省|市).*"},
        "weight": 20,
    }
    path = f"/v1/quality/rules/{name}"
    assert (await bank.manager_sh.put(path, json=rule)).status_code == 403
    assert (await bank.strategist.put(path, json=rule)).status_code == 200
    assert [r["code"] for r in (await quality_of(bank, customer["id"]))["failing"]] == [name]

    async def known() -> bool:
        return name in (await kept(bank, customer["id"])).get("failing", [])

    await eventually(known, what="all files to be judged anew", seconds=60)
    assert (await bank.strategist.put(path, json=rule)).headers["ETag"] == '"v1"'
    off = {**rule, "active": False}
    assert (await bank.strategist.put(path, json=off)).status_code == 428
    assert (await bank.strategist.put(path, json=off, headers={"If-Match": '"v1"'})).status_code == 200
    assert (await quality_of(bank, customer["id"]))["failing"] == []
    listed = (await bank.manager_sh.get("/v1/quality/rules", params={"limit": 1000})).json()["items"]
    assert {"id-number-valid", name} <= {each["code"] for each in listed}
    bad = {**rule, "check": {"kind": "pattern", "field": "address", "pattern": "(?=x)"}}
    refused = await bank.strategist.put(f"/v1/quality/rules/r{number()}", json=bad)
    assert refused.json()["errors"][0]["pointer"] == "/check/pattern"
    unknown = {**rule, "check": {"kind": "sql", "expression": "1=1"}}
    assert (await bank.strategist.put(f"/v1/quality/rules/r{number()}", json=unknown)).status_code == 422


async def test_expiries_are_found_on_their_day(bank: Bank) -> None:
    until = (clock.today() + timedelta(days=1)).isoformat()
    customer = await bank.customer(**{**complete(), "risk_valid_until": until})

    async def judged() -> bool:
        return (await kept(bank, customer["id"])).get("score") == 100

    await eventually(judged, what="the result", seconds=30)
    rows = await bank.sql(
        "SELECT next_check FROM quality_result WHERE customer_id = CAST(:id AS uuid)", id=customer["id"]
    )
    assert rows == [(date.fromisoformat(until) + timedelta(days=1),)]
    # As two nights later, when the assessment has expired and the file has not been touched.
    await bank.sql(
        "UPDATE quality_result SET next_check = :today WHERE customer_id = CAST(:id AS uuid) RETURNING 1",
        id=customer["id"],
        today=clock.today(),
    )
    due = await bank.sql(
        "SELECT 1 FROM quality_result WHERE customer_id = CAST(:id AS uuid) AND next_check <= :today",
        id=customer["id"],
        today=clock.today(),
    )
    assert due == [(1,)]

    async def judged_again() -> bool:
        found = await bank.sql(
            "SELECT next_check FROM quality_result WHERE customer_id = CAST(:id AS uuid)", id=customer["id"]
        )
        return found == rows

    await eventually(judged_again, what="the due file to be judged again", seconds=30)
