"""Scripts and materials from the first word to the campaign: two people, compliance lists."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.campaign.domain.approval import content_hash
from shared import clock
from shared.auth import Role
from shared.contracts.campaign import CampaignContent, OfferView, ScriptView
from tests.campaign.conftest import SCRIPT, Bank, a_scheme, an_arm, campaign_body
from tests.campaign.texts import BRANCHING, LEAFLET, answer, words

APPROVED_AT_ONCE = (
    "INSERT INTO script (key, version, name, steps, minutes, created_at, created_by, state)"
    " SELECT key, 9, name, steps, minutes, created_at, created_by, 'approved' FROM script"
)


def a_list(key: str, *patterns: str, severity: str = "refuse", **changes: Any) -> dict[str, Any]:
    listed = [{"pattern": pattern, "severity": severity} for pattern in patterns]
    today = clock.today().isoformat()
    return {"key": key, "name": words(key, key), "words": listed, "valid_from": today, **changes}


async def test_what_is_no_text_is_refused_where_it_is(empty_bank: Bank) -> None:
    steps: list[dict[str, Any]] = [
        {
            "key": "a",
            "text": words("一\n二{% for x in y %}三{% endfor %}"),
            "answers": [answer("on", next="z")],
        },
        {"key": "b", "text": words("{{ customer.id_number }}", "{{ offer.rate }}")},
    ]
    async with empty_bank.strategist() as author:
        for verb in ("", ":preview"):
            refused = await author.post(f"/v1/scripts{verb}", json={**BRANCHING, "steps": steps})
            assert (refused.status_code, refused.json()["type"]) == (422, "/problems/text-refused")
            assert refused.json()["errors"] == [
                {
                    "pointer": "/steps/0/text/zh",
                    "detail": "line 2, position 5: for is not available in texts; only if, elif, else, endif",
                },
                {
                    "pointer": "/steps/1/text/zh",
                    "detail": "line 1, position 4: there is no value customer.id_number",
                },
                {
                    "pointer": "/steps/1/text/en",
                    "detail": "line 1, position 4: offer.rate is written with the filter percent",
                },
                {"pointer": "/steps/0/answers/0/next", "detail": "there is no step z"},
            ]
        nowhere = {**BRANCHING, "steps": [{**steps[0], "answers": [answer("on")]}]}
        assert (await author.post("/v1/scripts", json=nowhere)).status_code == 422
        big = {**BRANCHING, "steps": [{"key": "a", "text": words("x" * 1_000_000)}]}
        assert (await author.post("/v1/scripts", json=big)).status_code == 422
        sms = {**LEAFLET, "kind": "text", "channel": "sms", "body": words("您" * 671, "a" * 153)}
        too_long = await author.post("/v1/materials", json=sms)
        assert too_long.json()["errors"] == [
            {"pointer": "/body/zh", "detail": "takes 11 messages, 10 at most"}
        ]
        fits = await author.post("/v1/materials:preview", json={**sms, "body": words("您" * 71, "a" * 160)})
        assert fits.json()["sms"] == {
            "zh": {"encoding": "ucs2", "units": 71, "segments": 2},
            "en": {"encoding": "gsm7", "units": 160, "segments": 1},
        }
        for body in (
            {**LEAFLET, "body": words("<script>x</script>")},
            {**LEAFLET, "body": None},
            {**LEAFLET, "kind": "file"},
            {**LEAFLET, "body": words("a\x00b")},
            {**LEAFLET, "kind": "file", "body": None, "file": {"uri": "file:///etc/passwd"}},
        ):
            assert (await author.post("/v1/materials", json=body)).status_code == 422, body
        offered = (await author.get("/v1/wording-variables")).json()["items"]
    rate = next(each for each in offered if each["name"] == "offer.rate")
    assert rate == {
        "name": "offer.rate",
        "kind": "rate",
        "filter": "percent",
        "sample": {"zh": "2.85%", "en": "2.85 %"},
    }


async def test_two_people_decide_and_the_database_knows(empty_bank: Bank) -> None:
    both = empty_bank.client(Role.strategist, Role.approver, staff="S1")
    async with empty_bank.strategist() as author, empty_bank.approver() as checker, both:
        written = await author.post("/v1/materials", json=LEAFLET)
        view = written.json()
        assert (view["state"], view["ref"], len(view["sha256"]), view["size"]) == (
            "in_review",
            "leaflet@1",
            64,
            len((LEAFLET["body"]["zh"] + LEAFLET["body"]["en"]).encode()),
        )
        path = "/v1/materials/leaflet@1"
        own = await both.post(f"{path}:approve", json={})
        assert (own.status_code, own.json()["type"]) == (403, "/problems/maker-is-checker")
        assert (await author.post(f"{path}:approve", json={})).status_code == 403
        assert (await checker.post(f"{path}:retire", json={"reason": "old"})).status_code == 409
        approved = await checker.post(f"{path}:approve", json={"comment": "good"})
        assert (approved.json()["state"], approved.json()["decided_by"]) == ("approved", "user:S2")
        assert (await checker.post(f"{path}:reject", json={"reason": "no"})).status_code == 409
        assert (await author.post(f"{path}:retire", json={"reason": "old"})).json()["state"] == "retired"
        await author.post("/v1/materials", json=LEAFLET)
        rejected = await checker.post("/v1/materials/leaflet@2:reject", json={"reason": "no"})
        assert (rejected.json()["state"], rejected.json()["comment"]) == ("rejected", "no")
        assert (await checker.post("/v1/materials/leaflet@9:approve", json={})).status_code == 404
        listed = (await author.get("/v1/materials?key=leaflet&state=retired")).json()["items"]
        assert [each["version"] for each in listed] == [1]
        assert (await author.post("/v1/materials", json=LEAFLET)).json()["version"] == 3
        assert (await checker.post("/v1/compliance-lists", json=a_list("l", "保本"))).status_code == 201
    for statement in (
        "UPDATE material SET state = 'approved', decided_by = 'user:S1' WHERE version = 3",
        "UPDATE material SET state = 'approved' WHERE version = 3",
        "UPDATE material SET state = 'retired', decided_by = 'user:S2' WHERE version = 3",
        "UPDATE material SET state = 'in_review' WHERE version = 1",
        "UPDATE material SET body = '{}' WHERE version = 3",
        "DELETE FROM material WHERE version = 3",
        "UPDATE script SET minutes = 1",
        "UPDATE compliance_list SET words = '[]'",
        APPROVED_AT_ONCE,
    ):
        with pytest.raises(DBAPIError, match=r"append-only|does not (become|decide)|begins in review"):
            async with empty_bank.campaign.runtime.db.transaction() as session:
                await session.execute(text(statement))


async def test_lists_refuse_warn_and_find_what_is_approved(empty_bank: Bank) -> None:
    risky = {**SCRIPT, "key": "risky", "steps": [{"key": "a", "text": words("本产品保 本", "No risk")}]}
    assert await empty_bank.wording("scripts", risky) == "risky@1"
    async with empty_bank.strategist() as author, empty_bank.approver() as checker:
        await author.post("/v1/scripts", json=risky)
        refused = await author.post("/v1/compliance-lists", json=a_list("l", "保本"))
        assert refused.status_code == 403
        assert (await checker.post("/v1/compliance-lists", json=a_list("l", "a *"))).status_code == 422
        changed = await checker.post("/v1/compliance-lists", json=a_list("promises", "保本", "本产品*保本"))
        assert changed.status_code == 201, changed.text
        (found,) = changed.json()["affected"]
        assert (found["kind"], found["ref"], found["refused"]) == ("script", "risky@1", True)
        assert [(hit["pointer"], hit["start"], hit["end"], hit["found"]) for hit in found["hits"]] == [
            ("/steps/0/text/zh", 0, 6, "本产品保 本"),
            ("/steps/0/text/zh", 3, 6, "保 本"),
        ]
        care = a_list("care", "no risk", severity="warn", advice="say which")
        care["words"][0]["advice"] = care.pop("advice")
        await checker.post("/v1/compliance-lists", json=care)
        later = (clock.today() + timedelta(days=1)).isoformat()
        await checker.post("/v1/compliance-lists", json=a_list("promises", valid_from=later))
        findings = (await author.get("/v1/compliance-findings?kind=script")).json()["items"]
        assert [(each["ref"], len(each["hits"])) for each in findings] == [("risky@1", 3)]
        assert (await author.get("/v1/compliance-findings?kind=material")).json()["items"] == []
        again = await author.post("/v1/scripts", json=risky)
        assert (again.status_code, again.json()["type"]) == (422, "/problems/compliance-refused")
        assert again.json()["errors"][0] == {
            "pointer": "/steps/0/text/zh",
            "detail": "characters 1 to 6: “本产品保 本” is refused by promises@1 (本产品*保本)",
        }
        waiting = await checker.post("/v1/scripts/risky@2:approve", json={})
        assert (waiting.status_code, waiting.json()["type"]) == (422, "/problems/compliance-refused")
        preview = (await author.post("/v1/scripts:preview", json=risky)).json()
        assert [hit["severity"] for hit in preview["hits"]] == ["refuse", "refuse", "warn"]
        assert preview["hits"][2]["advice"] == "say which"
        spoken = {**risky, "steps": [{"key": "a", "text": words("收益", "No risk")}]}
        assert (await author.post("/v1/scripts", json=spoken)).status_code == 201
        body = campaign_body(scheme=a_scheme(an_arm("call", 0.9, script="risky@1")))
        path = f"/v1/campaigns/{(await author.post('/v1/campaigns', json=body)).json()['id']}"
        submitted = await author.post(f"{path}:submit")
    assert submitted.status_code == 422
    told = {error["pointer"]: error["detail"] for error in submitted.json()["errors"]}
    assert "“保 本” is refused by promises@1" in told["/scheme/arms/0/script"]


async def test_campaigns_take_what_is_approved_and_meant_for_the_offer(bank: Bank) -> None:
    await bank.wording("materials", LEAFLET)
    await bank.wording("scripts", {**SCRIPT, "key": "funds", "products": ["F-01"]})
    async with bank.strategist() as author, bank.approver() as checker:
        await author.post("/v1/scripts", json={**SCRIPT, "key": "new"})
        scheme = a_scheme(
            an_arm("a", 0.3, script="new@1", materials=["leaflet@1", "leaflet@7"]),
            an_arm("b", 0.6, script="funds@1"),
        )
        drafted = (await author.post("/v1/campaigns", json=campaign_body(scheme=scheme))).json()
        path = f"/v1/campaigns/{drafted['id']}"
        refused = await author.post(f"{path}:submit")
        assert refused.json()["errors"] == [
            {"pointer": "/scheme/arms/0/materials/1", "detail": "there is no material leaflet@7"},
            {"pointer": "/scheme/arms/0/script", "detail": "new@1 is in_review"},
            {"pointer": "/scheme/arms/1/script", "detail": "funds@1 is not meant for W-01"},
        ]
        await checker.post("/v1/scripts/new@1:approve", json={})
        hashes = []
        for materials in ([], ["leaflet@1"]):
            scheme = a_scheme(an_arm("a", 0.9, script="new@1", materials=materials))
            version = (await author.get(path)).headers["etag"]
            edited = await author.patch(path, json={"scheme": scheme}, headers={"If-Match": version})
            assert edited.status_code == 200, edited.text
            hashes.append((await author.post(f"{path}:submit")).json()["content_hash"])
        assert len(set(hashes)) == 2
        assert (await author.get(path)).json()["scheme"]["arms"][0]["materials"] == ["leaflet@1"]
        assert (await checker.post(f"{path}:approve", json={})).status_code == 200
        await author.post("/v1/materials/leaflet@1:retire", json={"reason": "old"})
        late = await author.post(f"{path}:launch")
        assert (late.status_code, late.json()["type"]) == (409, "/problems/text-retired")
        assert late.json()["errors"] == [
            {"pointer": "/scheme/arms/0/materials/0", "detail": "leaflet@1 is retired"}
        ]


def test_what_was_approved_before_keeps_its_hash() -> None:
    """Computed by the release that knew neither materials nor decisions on scripts."""
    at, two = datetime(2026, 11, 1, tzinfo=UTC), words("字")
    arm = {"key": "call", "share": 0.9, "offer": "steady", "channel": "manager_task", "script": "call@1"}
    scheme = {"scenario": {"kind": "product"}, "hold_out": 0.1, "arms": [arm]}
    stamps = {"created_at": at, "created_by": "user:a"}
    offer = {"key": "steady", "name": two, "product": "W-01", "risk": "R2", "terms": {"text": two}}
    script = {"key": "call", "name": two, "steps": [{"key": "hello", "text": two}], "minutes": 6}
    decided = {"version": 1, "ref": "call@1", "state": "approved", "personalised": False}
    said = ScriptView.model_validate({**script, **decided, **stamps})
    retired = said.model_copy(update={"state": "retired", "retired_by": "user:b", "retired_at": at})
    for each in (said, retired):
        found = content_hash(
            "k",
            CampaignContent.model_validate({"name": two, "scheme": scheme}),
            {"steady": OfferView.model_validate({**offer, "value": "860.00", **stamps})},
            {"call@1": each},
            {},
            {"affluent": 2},
        )
        assert found == "1238043b457c2ff50caee64d55a0e5e88dc31407d486897872e28f454852a45a"
