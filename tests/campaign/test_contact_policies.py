"""Contact policies: hours in which a contact may begin, cool-down, caps, and versions that hold at once."""

from datetime import date, datetime, time
from typing import Any

import pytest

from services.campaign.domain.contact_rules import ContactRules
from shared import clock
from tests.campaign.conftest import SEGMENT, Bank, a_scheme, an_arm
from tests.campaign.desk import EVERYBODY, PUDONG, Desk, desk

__all__ = ["desk"]
ZONE = clock.ZONE
FRIDAY = date(2026, 11, 20)


def _at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), ZONE)


@pytest.mark.parametrize(
    ("quiet", "at", "allowed"),
    [
        (None, _at(FRIDAY, 3), _at(FRIDAY, 3)),
        ((time(21), time(9)), _at(FRIDAY, 12), _at(FRIDAY, 12)),
        ((time(21), time(9)), _at(FRIDAY, 8, 59), _at(FRIDAY, 9)),
        ((time(21), time(9)), _at(FRIDAY, 9), _at(FRIDAY, 9)),
        # After nine on Friday evening comes Monday: Saturday and Sunday rest.
        ((time(21), time(9)), _at(FRIDAY, 21), _at(date(2026, 11, 23), 9)),
        ((time(12), time(14)), _at(FRIDAY, 12), _at(FRIDAY, 14)),
        ((time(12), time(14)), _at(FRIDAY, 14), _at(FRIDAY, 14)),
        (None, _at(date(2026, 11, 21), 10), _at(date(2026, 11, 23), 0)),
        # New Year's Day is a Friday.
        ((time(21), time(9)), _at(date(2027, 1, 1), 10), _at(date(2027, 1, 4), 9)),
    ],
)
def test_when_a_contact_may_begin(quiet: tuple[time, time] | None, at: datetime, allowed: datetime) -> None:
    rules = ContactRules(
        "p@1", 2, 30, quiet=quiet, rest_on_weekends=True, rest_days=frozenset({date(2027, 1, 1)})
    )
    assert rules.next_allowed(at, ZONE) == allowed


def test_a_policy_that_always_rests_says_so() -> None:
    every_day = frozenset(date.fromordinal(FRIDAY.toordinal() + day) for day in range(1000))
    assert ContactRules("p@1", 2, 30, rest_days=every_day).next_allowed(_at(FRIDAY, 12), ZONE) is None


def _policy(key: str, **changes: Any) -> dict[str, Any]:
    body = {"key": key, "name": {"zh": "审慎", "en": "Considerate"}, "cap": {"contacts": 2, "days": 30}}
    return {**body, **changes}


async def _write(bank: Bank, **body: Any) -> dict[str, Any]:
    async with bank.strategist() as author:
        answer = await author.post("/v1/contact-policies", json=_policy(**body))
    assert answer.status_code == 201, answer.text
    written: dict[str, Any] = answer.json()
    return written


async def test_quiet_hours_wait_and_a_new_version_holds_at_once(desk: Desk) -> None:
    now = clock.now().astimezone(ZONE)
    hours = {"start": f"{now:%H}:00", "end": f"{(now.hour + 2) % 24:02d}:00"}
    first = await _write(desk.bank, key="calm", quiet_hours=hours)
    assert (first["version"], first["quiet_hours"]["start"]) == (1, f"{hours['start']}:00")
    await desk.bank.launched(scheme={**EVERYBODY, "contact_policy": "calm"})
    task, *_ = await desk.tasks()
    async with desk.bank.manager("A", PUDONG) as manager:
        path = f"/v1/tasks/{task['id']}:start"
        refused = await manager.post(path)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/quiet-hours")
        assert "calm@1" in refused.json()["detail"]
        assert 0 < int(refused.headers["retry-after"]) <= 2 * 3600
        assert (await manager.get(f"/v1/tasks/{task['id']}")).json()["state"] == "assigned"
        assert (await _write(desk.bank, key="calm"))["version"] == 2
        assert (await manager.post(path)).json()["state"] == "started"


async def test_who_refused_is_left_alone_for_a_while(desk: Desk) -> None:
    await _write(desk.bank, key="calm", cool_down_days=60, cap={"contacts": 9, "days": 30})
    scheme = {**EVERYBODY, "contact_policy": "calm"}
    await desk.bank.launched(scheme=scheme)
    second = await desk.bank.launched(scheme=scheme)
    asked, *_others = desk.people
    theirs = [task for task in await desk.tasks() if task["customer_id"] == str(asked.customer_id)]
    here = next(task for task in theirs if task["campaign_id"] != second)
    await desk.record(here["id"], {"disposition": "refused", "minutes": 1})
    there = next(task for task in theirs if task["campaign_id"] == second)
    begun = await desk.post(f"/v1/tasks/{there['id']}:start", {})
    assert (begun["state"], begun["reason"]) == ("expired", "cool_down")
    line = (await desk.ledger(second))[asked.customer_id]
    assert line["evidence"] == {"days": 60, "policy": "calm@1"}
    third = await desk.bank.launched(scheme=scheme)
    lines = await desk.ledger(third)
    assert lines[asked.customer_id]["reason"] == "cool_down"
    assert {line["state"] for key, line in lines.items() if key != asked.customer_id} == {"assigned"}


async def test_a_policy_of_the_key_default_takes_the_place_of_the_settings(desk: Desk) -> None:
    await _write(desk.bank, key="default", cap={"contacts": 1, "days": 5})
    await desk.bank.launched(scheme=EVERYBODY)
    second = await desk.bank.launched(scheme=EVERYBODY)
    lines = (await desk.ledger(second)).values()
    assert {line["reason"] for line in lines} == {"cap"}
    assert next(line["evidence"] for line in lines) == {
        "contacts": 1,
        "cap": 1,
        "days": 5,
        "policy": "default@1",
    }


async def test_policies_name_what_is_wrong(bank: Bank) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"cap": {"contacts": 0, "days": 30}}, "/cap/contacts"),
        ({"cap": {"contacts": 1, "days": 367}}, "/cap/days"),
        ({"cool_down_days": -1}, "/cool_down_days"),
        ({"quiet_hours": {"start": "09:00", "end": "09:00"}}, "/quiet_hours"),
        ({"quiet_hours": {"start": "25:00", "end": "09:00"}}, "/quiet_hours/start"),
        ({"quiet_hours": {"start": "21:00:30", "end": "09:00"}}, "/quiet_hours/start"),
        ({"rest_days": ["2027-02-30"]}, "/rest_days/0"),
    ]
    async with bank.strategist() as author:
        for change, pointer in wrong:
            answer = await author.post("/v1/contact-policies", json=_policy("calm", **change))
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
        assert (await author.get("/v1/contact-policies/calm")).status_code == 404
        scheme = {**a_scheme(an_arm("call", 1.0), hold_out=0), "contact_policy": "calm"}
        body = {"key": "unknown-policy", "name": {"zh": "一", "en": "One"}, "scheme": scheme}
        assert (await author.post("/v1/campaigns", json=body)).status_code == 201
    async with bank.strategist() as author:
        made = (await author.get("/v1/campaigns?limit=1")).json()["items"][0]
        full = {
            "objective": {"primary_metric": "net_inflow_30d"},
            "people": {"owner": "S1", "orgs": ["hq.sh"]},
            "schedule": {"start": clock.today().isoformat(), "end": clock.today().isoformat()},
            "responsibility": {"accountable": "S1"},
            "audience": {"include": [SEGMENT]},
        }
        path = f"/v1/campaigns/{made['id']}"
        edited = await author.patch(path, json=full, headers={"If-Match": f'"v{made["version"]}"'})
        assert edited.status_code == 200, edited.text
        refused = await author.post(f"{path}:submit")
        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/scheme/contact_policy"]
    async with bank.approver() as approver:
        assert (await approver.post("/v1/contact-policies", json=_policy("calm"))).status_code == 403
