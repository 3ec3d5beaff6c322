"""Draft to approval: five fixes, two pairs of eyes, one hash; enforced by the database as well."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.audit import verify
from shared.auth import Role
from shared.ids import new_id
from tests.campaign.conftest import OFFER, SCRIPT, Bank, a_scheme, an_arm, campaign_body


async def _create(bank: Bank, **changes: Any) -> tuple[str, str]:
    """Path and ETag of a new draft."""
    async with bank.strategist() as author:
        answer = await author.post("/v1/campaigns", json=campaign_body(**changes))
        assert answer.status_code == 201, answer.text
        return f"/v1/campaigns/{answer.json()['id']}", answer.headers["etag"]


async def test_submit_names_every_missing_fix(bank: Bank) -> None:
    async with bank.strategist() as author:
        answer = await author.post("/v1/campaigns", json={"key": "bare", "name": {"zh": "空", "en": "Bare"}})
        assert answer.status_code == 201, answer.text
        fixes = ["/objective", "/scheme", "/people", "/schedule", "/responsibility", "/audience"]
        assert answer.json()["missing"] == fixes
        refused = await author.post(f"/v1/campaigns/{answer.json()['id']}:submit")
    assert refused.status_code == 422
    assert refused.json()["type"] == "/problems/fixes-missing"
    assert [error["pointer"] for error in refused.json()["errors"]] == fixes


@pytest.mark.parametrize("fix", ["objective", "scheme", "people", "schedule", "responsibility"])
async def test_submit_names_the_one_missing_fix(bank: Bank, fix: str) -> None:
    path, _ = await _create(bank, **{fix: None})
    async with bank.strategist() as author:
        refused = await author.post(f"{path}:submit")
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [f"/{fix}"]


async def test_submit_names_references_that_lead_nowhere(bank: Bank) -> None:
    path, _ = await _create(
        bank,
        scheme=a_scheme(an_arm("a", 0.5, offer="nothing"), an_arm("b", 0.4, script="call@9")),
        audience={"include": ["nobody"]},
    )
    async with bank.strategist() as author:
        refused = await author.post(f"{path}:submit")
    assert [error["pointer"] for error in refused.json()["errors"]] == [
        "/scheme/arms/0/offer",
        "/scheme/arms/1/script",
        "/audience/include/0",
    ]


async def test_channels_that_do_not_exist_are_refused(bank: Bank) -> None:
    async with bank.strategist() as author:
        scheme = a_scheme(an_arm("call", 0.5), an_arm("sms", 0.4, channel="no-such-channel"))
        draft = await author.post("/v1/campaigns", json=campaign_body(scheme=scheme))
        refused = await author.post(f"/v1/campaigns/{draft.json()['id']}:submit")
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"pointer": "/scheme/arms/1/channel", "detail": "there is no channel no-such-channel"}
    ]


async def test_any_edit_voids_the_approval(bank: Bank) -> None:
    campaign_id = await bank.approved()
    path = f"/v1/campaigns/{campaign_id}"
    async with bank.strategist() as author:
        before = await author.get(path)
        assert before.json()["status"] == "approved"
        assert before.json()["approvals"][0]["content_hash"] == before.json()["content_hash"]
        patch = {"budget": {"amount": "1.00", "currency": "CNY"}}
        assert (await author.patch(path, json=patch)).status_code == 428
        stale = await author.patch(path, json=patch, headers={"If-Match": '"v1"'})
        assert stale.status_code == 412
        edited = await author.patch(path, json=patch, headers={"If-Match": before.headers["etag"]})
        assert edited.status_code == 200, edited.text
        assert edited.json()["status"] == "draft"
        assert edited.json()["approved_by"] is None
        assert edited.json()["content_hash"] is None
        assert edited.json()["budget"] == patch["budget"]
        refused = await author.post(f"{path}:launch")
    assert refused.status_code == 409
    assert "legal now: edit, submit, abort" in refused.json()["detail"]


async def test_the_maker_cannot_be_the_checker(bank: Bank) -> None:
    path, _ = await _create(bank)
    both = [Role.strategist, Role.approver]
    async with bank.client(*both, staff="S1") as author, bank.client(*both, staff="S9") as other:
        assert (await author.post(f"{path}:submit")).status_code == 200
        refused = await author.post(f"{path}:approve", json={})
        assert refused.status_code == 403
        assert refused.json()["type"] == "/problems/maker-is-checker"
        rejected = await other.post(f"{path}:reject", json={"reason": "too dear"})
        assert rejected.status_code == 200, rejected.text
        assert (rejected.json()["status"], rejected.json()["status_reason"]) == ("draft", "too dear")
        # S9 submits what S1 wrote: neither may approve.
        assert (await other.post(f"{path}:submit")).status_code == 200
        assert (await author.post(f"{path}:approve", json={})).status_code == 403
        assert (await other.post(f"{path}:approve", json={})).status_code == 403
    async with bank.approver() as checker:
        approved = await checker.post(f"{path}:approve", json={"comment": "fine"})
    assert approved.json()["status"] == "approved"
    assert [item["decision"] for item in approved.json()["approvals"]] == ["rejected", "approved"]


DECIDED = (
    "INSERT INTO approval SELECT gen_random_uuid(), id, 'approved', {hash}, {maker}, {checker}, NULL, now()"
    " FROM campaign"
)


@pytest.mark.parametrize(
    "statement",
    [
        # Whoever submitted approves.
        "UPDATE campaign SET status = 'approved', approved_by = submitted_by, approved_hash = content_hash",
        # Nobody approved.
        "UPDATE campaign SET status = 'running'",
        # Another content was approved.
        "UPDATE campaign SET status = 'approved', approved_by = 'user:x', approved_hash = 'other'",
        # The decision names the checker as maker, or is of another content.
        DECIDED.format(hash="content_hash", maker="submitted_by", checker="submitted_by"),
        DECIDED.format(hash="content_hash", maker="'user:x'", checker="submitted_by"),
        DECIDED.format(hash="'other'", maker="submitted_by", checker="'user:x'"),
        "UPDATE offer SET value = 1",
        "UPDATE script SET minutes = 1",
    ],
)
async def test_the_database_refuses_what_the_service_would(bank: Bank, statement: str) -> None:
    path, _ = await _create(bank)
    async with bank.strategist() as author:
        assert (await author.post(f"{path}:submit")).status_code == 200
    with pytest.raises(DBAPIError):
        async with bank.campaign.runtime.db.transaction() as session:
            await session.execute(text(statement))


async def test_a_changed_segment_is_seen_before_approval(bank: Bank) -> None:
    path, _ = await _create(bank)
    async with bank.strategist() as author, bank.approver() as checker:
        assert (await author.post(f"{path}:submit")).status_code == 200
        await bank.add_segment("affluent", [], version=2)
        refused = await checker.post(f"{path}:approve", json={})
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/approval-void"


async def test_scripts_have_versions_and_offers_do_not(bank: Bank) -> None:
    async with bank.strategist() as author:
        second = await author.post("/v1/scripts", json={**SCRIPT, "minutes": 8})
        assert (second.status_code, second.json()["ref"]) == (201, "call@2")
        assert (await author.get("/v1/scripts/call@1")).json()["minutes"] == 6
        assert len((await author.get("/v1/scripts?key=call")).json()["items"]) == 2
        again = await author.post("/v1/offers", json=OFFER)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/already-exists")
        assert (await author.get("/v1/offers/steady-r2")).json()["value"] == "860.00"


async def test_a_key_is_taken_once_and_repeats_are_answered_alike(bank: Bank) -> None:
    body = campaign_body(key="once")
    headers = {"Idempotency-Key": f"create {new_id()}"}
    async with bank.strategist() as author:
        first = await author.post("/v1/campaigns", json=body, headers=headers)
        again = await author.post("/v1/campaigns", json=body, headers=headers)
        assert first.json() == again.json()
        other = await author.post("/v1/campaigns", json=body)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/already-exists")


async def test_nobody_plans_beyond_their_organisation(bank: Bank) -> None:
    async with bank.client(Role.strategist, org="hq.sh.pudong", staff="P1") as local:
        refused = await local.post("/v1/campaigns", json=campaign_body())
        assert refused.status_code == 403
        own = campaign_body(
            people={"owner": "P1", "orgs": ["hq.sh.pudong"]},
            responsibility={"accountable": "P1", "measures": []},
        )
        created = await local.post("/v1/campaigns", json=own)
        assert created.status_code == 201, created.text
        path = f"/v1/campaigns/{created.json()['id']}"
    async with bank.client(Role.strategist, org="hq.sh.jingan", staff="J1") as neighbour:
        assert (await neighbour.get(path)).status_code == 404
        assert (await neighbour.post(f"{path}:submit")).status_code == 404
        assert (await neighbour.get("/v1/campaigns")).json()["items"] == []
    async with bank.client(Role.strategist, org="hq.sh.pudong", staff="P2") as colleague:
        assert len((await colleague.get("/v1/campaigns")).json()["items"]) == 1


async def test_what_was_decided_on_stays_readable(bank: Bank) -> None:
    """Word for word, whatever numbers a scenario names, and whatever the campaign has become since."""
    scheme = a_scheme(an_arm("call", 0.9))
    scheme["scenario"] = {"kind": "event", "detail": {"huge": 1e300, "whole": 2.0, "tiny": 1e-9}}
    path, _ = await _create(bank, scheme=scheme)
    async with bank.strategist() as author, bank.approver() as checker:
        assert (await checker.get(f"{path}/decided-content")).status_code == 404
        submitted = await author.post(f"{path}:submit")
        assert (await checker.post(f"{path}:reject", json={"reason": "too dear"})).status_code == 200
        changes = {"budget": {"amount": "5.00", "currency": "CNY"}}
        etag = (await author.get(path)).headers["etag"]
        cheaper = await author.patch(path, json=changes, headers={"If-Match": etag})
        assert cheaper.status_code == 200, cheaper.text
        rejected = (await checker.get(f"{path}/decided-content")).json()
        assert (rejected["decision"], rejected["checker"]) == ("rejected", "user:S2")
        assert rejected["content_hash"] == submitted.json()["content_hash"]
        assert rejected["content"]["budget"] == submitted.json()["budget"]
        assert rejected["content"]["scheme"] == submitted.json()["scheme"]
        assert (await author.post(f"{path}:submit")).status_code == 200
        assert (await checker.post(f"{path}:approve", json={})).status_code == 200
        approved = (await author.get(f"{path}/decided-content")).json()
        assert (approved["decision"], approved["content"]["budget"]["amount"]) == ("approved", "5.00")
    async with bank.manager("A", "hq.sh") as manager:
        assert (await manager.get(f"{path}/decided-content")).status_code == 403
    async with bank.campaign.runtime.db.transaction() as session:
        assert (await verify(session)).broken_at is None


async def test_an_edit_of_nothing_takes_a_submission_back(bank: Bank) -> None:
    path, _ = await _create(bank)
    async with bank.strategist() as author:
        submitted = await author.post(f"{path}:submit")
        assert submitted.json()["status"] == "in_review"
        taken = await author.patch(path, json={}, headers={"If-Match": submitted.headers["etag"]})
    assert (taken.status_code, taken.json()["status"], taken.json()["submitted_by"]) == (200, "draft", None)
