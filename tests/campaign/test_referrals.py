"""Referrals between branches and managers, over the API and the real broker."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared import clock
from shared.auth import Role
from shared.contracts.events import CustomerErased, HandoverCompleted, ReferralAnswered, ReferralMade
from shared.ids import new_id
from tests.campaign.conftest import OFFER
from tests.campaign.desk import EVERYBODY, JINGAN, PUDONG, merged, ref, unmerged
from tests.campaign.two_branches import ANYBODY, Body, Two, desk, two
from tests.support import eventually

__all__ = ["desk", "two"]


async def _states(two: Two, referral: Body) -> list[bytes]:
    told = await two.desk.outbox(ReferralAnswered, referral["id"])
    return [each.split(b'"state":"')[1].split(b'"')[0] for each in told]


async def test_a_customer_is_handed_on_accepted_and_won(two: Two) -> None:
    note = "salaries of 120 people, call 13812345678"
    made = await two.made(credit={"referrer": "0.3333", "receiver": "0.6667"}, note=note)
    assert (made["state"], made["verbs"], made["receiver"]) == ("made", ["withdraw"], "N")
    assert (made["referrer"], made["from_org"], made["overdue"]) == ("A", PUDONG, False)
    assert made["note"] == "salaries of 120 people, call ▇▇▇"
    (seen,) = await two.seen("N", side="received", state="made", line="personal")
    assert (seen["id"], seen["verbs"]) == (made["id"], ["accept", "reject"])
    accepted = await two.does("N", "accept", seen)
    assert (accepted["state"], accepted["verbs"]) == ("accepted", ["win", "lose"])
    assert datetime.fromisoformat(accepted["due_at"]) > datetime.fromisoformat(made["due_at"])
    # A hand-off is no contact: there is nothing new to call anybody about.
    assert await two.desk.tasks("N", JINGAN) == []
    other = await two.ask("N", "win", accepted, {"amount": "10.00", "currency": "USD"})
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "/currency")
    won = await two.does("N", "win", accepted, {"amount": "1000.01"})
    assert (won["state"], won["verbs"], won["closed_by"]) == ("won", [], "user:N")
    assert won["credited"] == {"referrer": "333.30", "receiver": "666.71"}
    (told,) = await two.desk.outbox(ReferralMade, made["id"])
    assert b'"offer":"steady-r2"' in told
    assert b"salaries" not in told
    assert await _states(two, made) == [b"accepted", b"won"]
    assert [each["state"] for each in await two.desk.audited("win_referral")] == ["won"]
    assert await two.ids("A", state="won", side="made") == {made["id"]}


async def test_of_two_who_accept_at_once_one_does(two: Two) -> None:
    made = await two.made(to=ANYBODY)
    answers = await asyncio.gather(two.ask("N", "accept", made), two.ask("O", "accept", made))
    assert Counter(each.status_code for each in answers) == {200: 1, 409: 1}
    (taken,) = [each.json() for each in answers if each.status_code == 200]
    (late,) = [each.json() for each in answers if each.status_code == 409]
    assert late["type"].endswith("illegal-transition")
    assert taken["receiver"] in {"N", "O"}
    second = ({"N", "O"} - {taken["receiver"]}).pop()
    assert await two.ids(second) == set()
    assert (await two.ask(second, "win", taken, {"amount": "1.00"})).status_code == 403
    assert await _states(two, made) == [b"accepted"]
    assert len(await two.desk.audited("accept_referral")) == 1


async def test_the_same_twice_at_once_is_one_referral(two: Two) -> None:
    answers = await asyncio.gather(*(two.post("A") for _ in range(4)))
    assert Counter(each.status_code for each in answers) == {201: 1, 409: 3}
    assert {a.json()["type"].rsplit("/", 1)[-1] for a in answers if a.status_code == 409} == {
        "already-referred"
    }
    (made,) = [each.json() for each in answers if each.status_code == 201]
    assert (await two.post("B")).status_code == 409
    await two.made(to=ANYBODY)
    await two.made(offer=None, category="payroll")
    await two.does("A", "withdraw", made)
    assert (await two.made("B"))["state"] == "made"


async def test_only_the_two_sides_their_heads_and_auditors_see_it(two: Two) -> None:
    named, open_ = await two.made(), await two.made(to=ANYBODY)
    both = {named["id"], open_["id"]}
    expected = {"A": both, "B": set(), "H": both, "N": both, "O": {open_["id"]}, "J": both}
    for code, ids in expected.items():
        assert await two.ids(code) == ids, code
        async with two.who(code) as client:
            for each in both:
                answer = await client.get(f"/v1/referrals/{each}")
                assert answer.status_code == (200 if each in ids else 404), code
    bank = two.desk.bank
    async with bank.client(Role.auditor, staff="Q") as auditor:
        assert {each["id"] for each in (await auditor.get("/v1/referrals")).json()["items"]} == both
        headers = {"If-Match": '"v1"'}
        denied = await auditor.post(f"/v1/referrals/{open_['id']}:accept", headers=headers)
        assert denied.status_code == 403
    async with bank.client(Role.branch_head, org="hq.bj.haidian", staff="Z") as stranger:
        assert (await stranger.get("/v1/referrals")).json()["items"] == []
        assert (await stranger.get(f"/v1/referrals/{open_['id']}")).status_code == 404
    async with bank.strategist() as strategist:
        assert (await strategist.get("/v1/referrals")).status_code == 403
    for branch in (PUDONG, JINGAN):
        async with bank.client(Role.manager, org=branch) as nobody:
            assert (await nobody.get("/v1/referrals")).json()["items"] == []
    for code, of, status in (("B", open_, 404), ("O", named, 404), ("A", open_, 403), ("H", open_, 403)):
        assert (await two.ask(code, "accept", of)).status_code == status, code
    # Of the referring branch the head only looks on; the receiving one's says who sees to it.
    assert await two.ids("H", side="received") == set()
    assert await two.ids("J", side="received") == both
    assigned = await two.does("J", "assign", named, {"manager": "O"})
    assert (assigned["receiver"], assigned["to"]["manager"]) == ("O", "N")
    assert await two.ids("N") == {open_["id"]}
    assert (await two.does("O", "accept", assigned))["receiver"] == "O"
    wrong = await two.ask("J", "assign", open_, {"manager": "A"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/manager")


async def test_verbs_ask_for_the_version_and_the_state(two: Two) -> None:
    made = await two.made()
    async with two.who("N") as client:
        path = f"/v1/referrals/{made['id']}"
        assert (await client.post(f"{path}:accept")).status_code == 428
        assert (await client.get(path)).headers["etag"] == '"v1"'
    assert (await two.ask("N", "accept", {**made, "version": 7})).status_code == 412
    assert (await two.ask("N", "win", made, {"amount": "1.00"})).status_code == 409
    blank = await two.ask("N", "reject", made, {"reason": "  "})
    assert (blank.status_code, blank.json()["errors"][0]["pointer"]) == (422, "/reason")
    rejected = await two.does("N", "reject", made, {"reason": "has an account with us"})
    assert (rejected["state"], rejected["reason"]) == ("rejected", "has an account with us")
    assert (await two.ask("A", "withdraw", rejected)).status_code == 409
    lost = await two.does("N", "accept", await two.made())
    assert (await two.does("N", "lose", lost, {"reason": "went elsewhere"}))["amount"] is None


WRONG: list[tuple[Body, str]] = [
    ({"customer_id": "0192f0c5-0000-7000-8000-000000000001"}, "/customer_id"),
    ({"customer_id": "x"}, "/customer_id"),
    ({"to": {"line": "personal", "org": "hq.nowhere"}}, "/to/org"),
    ({"to": {"line": "personal", "org": JINGAN, "manager": "A9"}}, "/to/manager"),
    ({"to": {"line": "private", "org": JINGAN}}, "/to/line"),
    ({"to": {"line": "corporate", "org": PUDONG}}, "/to"),
    ({"offer": "nothing"}, "/offer"),
    ({"offer": None}, "/note"),
    ({"category": "ships"}, "/category"),
    ({"note": "a\x00b"}, "/note"),
    ({"credit": {"referrer": "0.5", "receiver": "0.6"}}, "/credit"),
    ({"credit": {"referrer": "NaN", "receiver": "1"}}, "/credit/referrer"),
    ({"lead": {"core_customer_id": str(new_id()), "role": "supplier"}}, "/lead/core_customer_id"),
]


async def test_a_bad_referral_names_its_field(two: Two) -> None:
    for changes, pointer in WRONG:
        answer = await two.post("A", **changes)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), changes
    assert await two.ids("H") == set()
    foreign = await two.post("N", to={"line": "personal", "org": PUDONG})
    assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (422, "/customer_id")
    async with two.desk.bank.client(Role.manager, org=PUDONG) as nobody:
        assert (await nobody.post("/v1/referrals", json=two.body())).status_code == 403


async def test_what_nobody_answers_in_time_lapses(two: Two) -> None:
    made, taken = await two.made(), await two.made(to=ANYBODY)
    taken = await two.does("O", "accept", taken)
    await two.execute("UPDATE referral SET due_at = due_at - interval '60 days'")
    # Late before the clock has come round.
    assert (await two.ask("N", "accept", made)).status_code == 409

    async def lapsed() -> bool:
        return await two.ids("A", state="lapsed") == {made["id"]}

    await eventually(lapsed, what="the lapse")
    assert await _states(two, made) == [b"lapsed"]
    assert await two.ids("A", overdue="true") == {taken["id"]}
    assert await two.ids("A", overdue="false") == {made["id"]}
    assert (await two.does("O", "win", taken, {"amount": "0.00"}))["overdue"] is False
    await two.made()


async def test_a_contact_ends_with_a_referral(two: Two) -> None:
    campaign_id = await two.desk.bank.launched(scheme=EVERYBODY)
    task = (await two.desk.tasks())[0]
    need = {name: value for name, value in two.body().items() if name != "customer_id"}
    record = {"disposition": "referred", "minutes": 4, "referral": need}
    async with two.who("A") as manager:
        path = f"/v1/tasks/{task['id']}"
        early = await manager.post(f"{path}:record", json=record)
        assert early.status_code == 409
        assert (await manager.post(f"{path}:start")).status_code == 200
        for wrong, pointer in (
            ({"disposition": "referred", "minutes": 1}, "/referral"),
            ({**record, "disposition": "refused"}, "/referral"),
            ({**record, "referral": {**need, "offer": "nothing"}}, "/referral/offer"),
        ):
            answer = await manager.post(f"{path}:record", json=wrong)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
        assert (await manager.get(path)).json()["attempts"] == 0
        for _ in range(2):
            done = await manager.post(f"{path}:record", json=record)
            assert done.status_code == 200, done.text
            assert (done.json()["state"], done.json()["disposition"]) == ("done", "referred")
        other = await manager.post(f"{path}:record", json={**record, "referral": {**need, "offer": None}})
        assert other.status_code in {409, 422}
    (made,) = await two.seen("N")
    assert (made["task_id"], made["customer_id"]) == (task["id"], task["customer_id"])
    ledger = (await two.desk.balanced(campaign_id))["ledger"]
    assert (ledger["done"], ledger["dispositions"]) == (1, {"referred": 1})


async def test_the_erased_leave_no_word_and_no_open_referral(two: Two) -> None:
    person, core = two.desk.people[:2]
    lead = {"core_customer_id": str(core.customer_id), "role": "supplier"}
    open_ = await two.made(note="lives at the lake", lead=lead)
    won = await two.does("N", "accept", await two.made(to=ANYBODY, note="at the lake too"))
    won = await two.does("N", "win", won, {"amount": "9.00"})
    other = await two.made(customer_id=str(two.desk.people[2].customer_id), lead=lead, note="of the mill")
    assert other["lead"] == lead
    for who in (person, core):
        await two.desk.tell(
            CustomerErased(receipt_id=new_id(), customers=[ref(who)], erased_at=datetime.now(UTC))
        )
    found = {each["id"]: each for each in await two.seen("A")}
    assert (found[open_["id"]]["state"], found[open_["id"]]["lead"]) == ("withdrawn", None)
    assert (found[won["id"]]["state"], found[won["id"]]["amount"]) == ("won", "9.00")
    assert (found[other["id"]]["state"], found[other["id"]]["lead"]) == ("made", None)
    assert {each["note"] for each in found.values()} == {None}
    assert await _states(two, open_) == [b"withdrawn"]
    assert (await two.post("A")).json()["errors"][0]["pointer"] == "/customer_id"


async def test_a_persons_files_are_one_customer_while_they_are_merged(two: Two) -> None:
    survivor, loser, *_ = two.desk.people
    made = await two.made(customer_id=str(loser.customer_id))
    told = merged(survivor, loser)
    await two.desk.tell(*told)
    (seen,) = await two.seen("A", customer_id=str(survivor.customer_id))
    assert (seen["id"], seen["customer_id"]) == (made["id"], str(survivor.customer_id))
    again = await two.post("A", customer_id=str(survivor.customer_id))
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-referred")
    late = await two.post("A", customer_id=str(loser.customer_id), to=ANYBODY)
    assert late.json()["errors"][0] == {"pointer": "/customer_id", "detail": "is merged; refer the survivor"}
    await two.desk.tell(*unmerged(told, loser))
    assert (await two.seen("A"))[0]["customer_id"] == str(loser.customer_id)
    assert (await two.made(customer_id=str(survivor.customer_id)))["state"] == "made"


async def test_the_database_itself_keeps_the_rules(two: Two) -> None:
    await two.made()
    for change in (
        "receiver_share = 0.5",
        "receiver = 'A'",
        "state = 'rejected', answered_at = now(), answered_by = 'user:A'",
        "state = 'won', answered_at = now(), answered_by = 'user:N'",
    ):
        with pytest.raises(DBAPIError):
            await two.execute(f"UPDATE referral SET {change}")
    hidden = two.desk.bank.campaign.runtime.db
    async with hidden.transaction("hq.bj") as session:
        assert await session.scalar(text("SELECT count(*) FROM referral")) == 0
    async with hidden.transaction(JINGAN) as session:
        assert await session.scalar(text("SELECT count(*) FROM referral")) == 1


async def test_success_leads_to_what_else_suits(two: Two) -> None:
    bank, person = two.desk.bank, two.desk.people[0]
    path = f"/v1/customers/{person.customer_id}/next-offers"
    dear = {"key": "gold-r3", "risk": "R3", "value": "5000.00"}
    old = {"key": "old", "valid_until": "2020-01-01"}
    async with bank.strategist() as author:
        for changes in (dear, {"key": "calm", "risk": "R1"}, old, {"key": "gone"}):
            assert (await author.post("/v1/offers", json={**OFFER, **changes})).status_code == 201
        assert (await author.post("/v1/quotas", json={"offer": "gone", "units": 0})).status_code == 201
    nothing = await bank.get(path)
    assert (nothing["after"], nothing["offers"]) == ([], [])
    won = await two.does("N", "accept", await two.made())
    await two.does("N", "win", won, {"amount": "9.00"})
    found = await bank.get(path)
    assert [(each["kind"], each["offer"]) for each in found["after"]] == [("referral", "steady-r2")]
    assert [each["key"] for each in found["offers"]] == ["gold-r3", "calm"]
    await two.made(offer="calm")
    assert [each["key"] for each in (await bank.get(path))["offers"]] == ["gold-r3"]
    await two.execute(
        "UPDATE known_customer SET risk_level = 2 WHERE id = :id", id=UUID(str(person.customer_id))
    )
    assert (await bank.get(path))["offers"] == []
    async with two.who("N") as stranger:
        assert (await stranger.get(path)).status_code == 404


def _handover(staff: str, *, undone: bool = False, **receivers: int) -> HandoverCompleted:
    return HandoverCompleted(
        handover_id=new_id(),
        staff=staff,
        customers=sum(receivers.values()),
        receivers=receivers,
        undone=undone,
        completed_at=clock.now(),
    )


async def test_open_referrals_of_who_left_go_to_a_successor_and_come_back(two: Two) -> None:
    waiting, taken = await two.made(), await two.made(offer=None, category="payroll")
    taken = await two.does("N", "accept", taken)
    assigned = await two.made(to=ANYBODY)
    assigned = await two.does("J", "assign", assigned, {"manager": "N"})
    own = await two.made(to={"line": "personal", "org": JINGAN, "manager": "O"}, offer=None, category="loan")
    # Most customers went to somebody of another branch, who cannot take a referral of this one.
    await two.desk.tell(_handover("N", B=9, O=2))
    moved = {each["id"]: each for each in await two.seen("O", side="received")}
    assert set(moved) == {waiting["id"], taken["id"], assigned["id"], own["id"]}
    assert {each["receiver"] for each in moved.values()} == {"O"}
    assert [moved[each["id"]]["taken_from"] for each in (waiting, taken, assigned, own)] == [
        "N",
        "N",
        "N",
        None,
    ]
    assert moved[waiting["id"]]["to"]["manager"] == "N"
    assert await two.ids("N", side="received") == set()
    (told,) = await two.desk.audited("move_referrals")
    assert told["receivers"] == {each["id"]: "O" for each in (waiting, taken, assigned)}
    await two.does("O", "accept", moved[waiting["id"]])
    await two.desk.tell(_handover("N", undone=True, O=2))
    assert await two.ids("N", side="received") == {taken["id"], assigned["id"]}
    assert await two.ids("O", side="received") == {waiting["id"], own["id"]}


async def test_without_a_successor_the_branch_takes_what_was_not_accepted(two: Two) -> None:
    waiting, taken = await two.made(), await two.made(offer=None, category="payroll")
    await two.does("N", "accept", taken)
    await two.desk.tell(_handover("N", B=9))
    assert await two.ids("O", side="received") == {waiting["id"]}
    (left,) = await two.seen("J", state="accepted")
    assert (left["receiver"], left["taken_from"]) == ("N", None)
    await two.does("J", "assign", left, {"manager": "O"})
    assert await two.ids("O", side="received") == {waiting["id"], taken["id"]}
