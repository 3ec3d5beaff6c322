"""What managers say of a campaign and are told of their contacts."""

from typing import Any

from sqlalchemy import select

from shared import clock
from shared.auth import Role
from shared.contracts.events import CampaignErasureConfirmed, CustomerErased, FeedbackGiven
from shared.db import StoredAnswer
from shared.ids import new_id
from tests.campaign.conftest import a_scheme, an_arm
from tests.campaign.desk import EVERYBODY, JINGAN, PUDONG, Desk, desk, ref
from tests.support import eventually

__all__ = ["desk"]

HEAD = {"org": PUDONG, "staff": "H1"}
FIRST = {"If-Match": '"v1"'}


async def _give(desk: Desk, status: int = 201, **body: Any) -> dict[str, Any]:
    async with desk.bank.manager("A", PUDONG) as manager:
        answer = await manager.post("/v1/feedback", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def _is_of_something(desk: Desk, campaign_id: str) -> None:
    draft = await desk.bank.approved(scheme=EVERYBODY)
    problem = await _give(desk, 422, kind="offer", rating=3)
    assert problem["errors"][0]["pointer"] == "/campaign_id"
    problem = await _give(desk, 422, campaign_id=campaign_id, kind="offer", rating=3, arm="letter")
    assert problem["errors"][0]["pointer"] == "/arm"
    # Both arms make the same offer: no need to say which.
    assert (await _give(desk, campaign_id=campaign_id, kind="offer", rating=3))["offer"] == "steady-r2"
    assert (await _give(desk, 409, campaign_id=draft, kind="list", rating=3))["type"].endswith("not-launched")
    await _give(desk, 404, task_id=str(new_id()), kind="list", rating=3)
    await _give(desk, 422, campaign_id=campaign_id, kind="list", rating=6)


async def _stays_with_who_gave_it(desk: Desk, given: dict[str, Any]) -> None:
    path = f"/v1/feedback/{given['id']}"
    async with desk.bank.manager("B", PUDONG) as colleague:
        assert (await colleague.get(path)).status_code == 404
        assert (await colleague.get("/v1/feedback")).json()["items"] == []
        assert (await colleague.get("/v1/feedback/counts")).json()["items"] == []
        for version in (FIRST, {"If-Match": '"v9"'}):
            assert (await colleague.post(f"{path}:close", headers=version)).status_code == 404
        assert (
            await colleague.post(f"{path}:answer", json={"answer": "x"}, headers=FIRST)
        ).status_code == 403
    async with desk.bank.client(Role.branch_head, **HEAD) as head:
        assert (await head.get(path)).status_code == 200
    async with desk.bank.client(Role.strategist, org=JINGAN, staff="S9") as stranger:
        assert (await stranger.get(path)).status_code == 404
        answer = await stranger.post(f"{path}:answer", json={"answer": "x"}, headers=FIRST)
        assert answer.status_code == 404


async def _is_told_and_acknowledges(desk: Desk, task: dict[str, Any]) -> None:
    """A head's note reaches the manager of the task, and nobody else."""
    path = f"/v1/tasks/{task['id']}/coaching-notes"
    body = {"text": "Ask for the family first. 13912345678"}
    async with desk.bank.client(Role.branch_head, **HEAD) as head:
        missing = await head.post(path, json={**body, "attempt": 1})
        assert missing.json()["errors"][0]["pointer"] == "/attempt"
        written = await head.post(path, json=body)
        assert written.status_code == 201, written.text
    note = written.json()
    assert (note["manager"], note["text"]) == ("A", "Ask for the family first. ▇▇▇")
    acknowledge = f"/v1/coaching-notes/{note['id']}:acknowledge"
    async with desk.bank.manager("B", PUDONG) as colleague:
        assert (await colleague.get("/v1/coaching-notes")).json()["items"] == []
        assert (await colleague.post(acknowledge, headers=FIRST)).status_code == 403
        assert (await colleague.post(path, json=body)).status_code == 403
    async with desk.bank.client(Role.branch_head, org=JINGAN, staff="H2") as stranger:
        assert (await stranger.post(path, json=body)).status_code == 404
        assert (await stranger.get("/v1/coaching-notes")).json()["items"] == []
    async with desk.bank.manager("A", PUDONG) as manager:
        unread = (await manager.get("/v1/coaching-notes?unread=true")).json()["items"]
        assert [each["id"] for each in unread] == [note["id"]]
        assert (await manager.post(acknowledge, headers={"If-Match": '"v7"'})).status_code == 412
        seen = await manager.post(acknowledge, headers=FIRST)
        assert (seen.status_code, seen.json()["acknowledged_at"] is None) == (200, False)
        assert (await manager.post(acknowledge, headers=FIRST)).status_code == 200
        assert (await manager.get("/v1/coaching-notes?unread=true")).json()["items"] == []
    assert len(await desk.audited("acknowledge_coaching_note")) == 1


async def test_feedback_is_given_answered_closed_and_counted(desk: Desk) -> None:
    arms = [an_arm("call", 0.5), an_arm("visit", 0.5, offer="steady-r2")]
    campaign_id = await desk.bank.launched(scheme=a_scheme(*arms, hold_out=0))
    task = (await desk.tasks())[0]
    said = "too long, call 13912345678"
    given = await _give(desk, task_id=task["id"], kind="script", rating=2, text=said)
    assert (given["script"], given["offer"], given["arm"]) == ("call@1", None, task["arm"])
    assert (given["state"], given["text"]) == ("open", "too long, call ▇▇▇")
    assert given["customer_id"] == task["customer_id"]
    await _give(desk, task_id=task["id"], kind="script", rating=5)
    of_list = await _give(desk, campaign_id=campaign_id, kind="list", rating=4)
    assert (of_list["script"], of_list["offer"], of_list["task_id"]) == (None, None, None)
    told = await desk.outbox(FeedbackGiven, given["id"])
    assert len(told) == 1
    assert b"too long" not in told[0]
    assert b"user:A" not in told[0]
    path = f"/v1/feedback/{given['id']}"
    async with desk.bank.strategist() as author:
        assert (await author.post(f"{path}:answer", json={"answer": "x"})).status_code == 428
        answered = await author.post(f"{path}:answer", json={"answer": "Shortened."}, headers=FIRST)
        assert (answered.json()["state"], answered.json()["answered_by"]) == ("answered", "user:S1")
        assert (await author.post(f"{path}:answer", json={"answer": "x"}, headers=FIRST)).status_code == 412
        unanswered = (await author.get(f"/v1/feedback?state=open&campaign_id={campaign_id}")).json()["items"]
        assert [each["rating"] for each in unanswered] == [4, 5]
        counts = (await author.get(f"/v1/feedback/counts?campaign_id={campaign_id}")).json()["items"]
    assert [(each["kind"], each["script"], each["given"], each["open"]) for each in counts] == [
        ("list", None, 1, 1),
        ("script", "call@1", 2, 1),
    ]
    assert (counts[1]["mean"], counts[1]["ratings"]) == (3.5, [0, 1, 0, 0, 1])
    async with desk.bank.manager("A", PUDONG) as manager:
        assert (await manager.get(path)).json()["answer"] == "Shortened."
        closed = await manager.post(f"{path}:close", headers={"If-Match": '"v2"'})
        assert closed.json()["state"] == "closed"
        again = await manager.post(f"{path}:close", headers={"If-Match": '"v3"'})
        assert (again.status_code, again.json()["type"]) == (409, "/problems/illegal-transition")
    assert [entry["state"] for entry in await desk.audited("answer_feedback")] == ["answered"]
    await _stays_with_who_gave_it(desk, of_list)
    await _is_of_something(desk, campaign_id)


async def test_a_head_tells_a_manager_and_what_was_written_goes_with_the_customer(desk: Desk) -> None:
    await desk.bank.launched(scheme=EVERYBODY)
    gone = desk.people[0]
    task = next(each for each in await desk.tasks() if each["customer_id"] == str(gone.customer_id))
    await _is_told_and_acknowledges(desk, task)
    given = await _give(desk, task_id=task["id"], kind="offer", rating=1, text="she has a rich uncle")
    path = f"/v1/tasks/{task['id']}/coaching-notes"
    headers = {"Idempotency-Key": str(new_id())}
    async with desk.bank.client(Role.branch_head, **HEAD) as head:
        assert (await head.post(path, json={"text": "mind the uncle"}, headers=headers)).status_code == 201
    async with desk.bank.strategist() as author:
        answer = {"answer": "uncles are welcome"}
        assert (
            await author.post(f"/v1/feedback/{given['id']}:answer", json=answer, headers=FIRST)
        ).is_success
    erased = CustomerErased(receipt_id=new_id(), customers=[ref(gone)], erased_at=clock.now())
    await desk.tell(erased)

    async def confirmed() -> bool:
        return bool(await desk.outbox(CampaignErasureConfirmed, str(erased.receipt_id)))

    await eventually(confirmed, what="the confirmation")
    left = await desk.bank.get(f"/v1/feedback/{given['id']}")
    assert (left["rating"], left["text"], left["answer"]) == (1, None, None)
    async with desk.bank.client(Role.branch_head, **HEAD) as head:
        assert (await head.get(f"/v1/coaching-notes?task_id={task['id']}")).json()["items"] == []
        late = await head.post(path, json={"text": "again"})
        assert (late.status_code, late.json()["type"]) == (409, "/problems/customer-erased")
    async with desk.bank.campaign.runtime.db.transaction() as session:
        kept = [bytes(body) for body in await session.scalars(select(StoredAnswer.body))]
    assert not [body for body in kept if b"uncle" in body]
