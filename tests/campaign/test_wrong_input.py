"""What is asked wrongly of managers' days, strategies, the calendar and channels is named, each in its place."""

from typing import Any

import httpx

from shared.auth import Role
from shared.ids import new_id
from tests.support import Running

NOBODY = str(new_id())
V1 = {"If-Match": '"v1"'}
NAME = {"zh": "名", "en": "Name"}
STRATEGY = {"key": "wrong-input", "name": NAME, "org": "hq"}
CHANNEL = {
    "key": "wrong-input",
    "kind": "sms",
    "name": NAME,
    "consent": "sms",
    "connector": {"type": "sandbox"},
    "per_minute": 1,
    "daily_capacity": 1,
    "cost": "0.05",
}
NOTE = f"/tasks/{NOBODY}/coaching-notes"
FEEDBACK = {"campaign_id": NOBODY, "kind": "list", "rating": 3}
ABSENCE = {"starts_on": "2030-01-01", "ends_on": "2030-01-02"}

NAMED: list[tuple[str, str, Any, str]] = [
    ("POST", "/absences", {**ABSENCE, "ends_on": "2030-02-30"}, "/ends_on"),
    ("POST", "/absences", {**ABSENCE, "ends_on": "9999-12-31"}, "/ends_on"),
    ("POST", "/absences", {**ABSENCE, "substitute": "A\x00"}, "/substitute"),
    ("POST", "/absences", {**ABSENCE, "manager": "nobody-at-all"}, "/manager"),
    ("GET", "/absences?manager=%00", None, "/query/manager"),
    ("GET", "/absences?to_come=perhaps", None, "/query/to_come"),
    ("GET", "/absences/4711", None, "/path/absence_id"),
    ("PATCH", "/absences/4711", {}, "/path/absence_id"),
    ("PATCH", f"/absences/{NOBODY}", {"until": "2030-01-01"}, "/until"),
    ("POST", "/absences/4711:cancel", None, "/path/absence_id"),
    ("POST", f"/absences/{NOBODY}:reassign", {"dry_run": "perhaps"}, "/dry_run"),
    ("GET", "/workload?limit=0", None, "/query/limit"),
    ("GET", "/managers/%00/capacity", None, "/path/manager"),
    ("PUT", "/managers/A/capacity", {"minutes_per_day": 1441}, "/minutes_per_day"),
    ("PUT", "/managers/A/capacity", {"minutes_per_day": 1e99}, "/minutes_per_day"),
    ("POST", NOTE, {"text": ""}, "/text"),
    ("POST", NOTE, {"text": "a\x00"}, "/text"),
    ("POST", NOTE, {"text": "a", "attempt": 0}, "/attempt"),
    ("GET", "/coaching-notes?task_id=x", None, "/query/task_id"),
    ("POST", "/coaching-notes/x:acknowledge", None, "/path/note_id"),
    ("POST", "/feedback", {**FEEDBACK, "rating": 2.5}, "/rating"),
    ("POST", "/feedback", {**FEEDBACK, "text": "\x00"}, "/text"),
    ("GET", "/feedback?script=none", None, "/query/script"),
    ("GET", "/feedback?campaign_id=1", None, "/query/campaign_id"),
    ("GET", "/feedback/counts?kind=mood", None, "/query/kind"),
    ("GET", "/feedback/4711", None, "/path/feedback_id"),
    ("POST", f"/feedback/{NOBODY}:answer", {"answer": " "}, "/answer"),
    ("POST", "/feedback/4711:close", None, "/path/feedback_id"),
    ("POST", "/strategies", {**STRATEGY, "key": "A B"}, "/key"),
    ("POST", "/strategies", {**STRATEGY, "segments": ["nobody-s"]}, "/segments/0"),
    ("POST", "/strategies", {**STRATEGY, "budget": {"amount": "1e40"}}, "/budget/amount"),
    ("POST", "/strategies", {**STRATEGY, "stp": {"targeting": "\x00"}}, "/stp/targeting"),
    ("GET", "/strategies?state=dead", None, "/query/state"),
    ("GET", "/strategies/A%00", None, "/path/key"),
    ("PATCH", "/strategies/a", {"org": "no where"}, "/org"),
    ("POST", "/strategies/A%20B:activate", None, "/path/key"),
    ("POST", "/strategies/a:close", {"reason": ""}, "/reason"),
    ("GET", "/strategies/A%20B/versions", None, "/path/key"),
    ("GET", "/strategies/a/campaigns?limit=x", None, "/query/limit"),
    ("GET", "/strategies/A%20B/progress", None, "/path/key"),
    ("GET", "/calendar?from=2026-13-01&until=2026-12-31", None, "/query/from"),
    ("GET", "/calendar?from=0001-01-01&until=9999-12-31", None, "/query/until"),
    ("GET", "/calendar?from=2026-12-01&until=2026-12-31&org=%00", None, "/query/org"),
    ("POST", "/channels", {**CHANNEL, "per_minute": 0}, "/per_minute"),
    ("POST", "/channels", {**CHANNEL, "cost": "NaN"}, "/cost"),
    ("POST", "/channels", {**CHANNEL, "connector": {"type": "pigeon"}}, "/connector"),
    ("GET", "/channels?kind=pigeon", None, "/query/kind"),
    ("GET", "/channels/A%00", None, "/path/key"),
    ("PATCH", "/channels/a", {"currency": "yuan"}, "/currency"),
    ("POST", "/channels/A%20B:enable", None, "/path/key"),
    ("POST", "/channels/A%20B:disable", None, "/path/key"),
    ("POST", "/channels/a:test", {"recipient": "\r\n", "body": "x"}, "/recipient"),
    ("GET", "/channels/a/tests?limit=x", None, "/query/limit"),
    ("POST", "/campaigns/4711:simulate", None, "/path/campaign_id"),
]
NOWHERE: list[tuple[str, str, Any, int]] = [
    ("GET", f"/absences/{NOBODY}", None, 404),
    ("PATCH", f"/absences/{NOBODY}", {}, 404),
    ("POST", f"/absences/{NOBODY}:cancel", None, 404),
    ("POST", f"/absences/{NOBODY}:reassign", {}, 404),
    ("PUT", "/managers/nobody-at-all/capacity", {"minutes_per_day": 5}, 404),
    ("POST", NOTE, {"text": "a"}, 404),
    ("POST", f"/coaching-notes/{NOBODY}:acknowledge", None, 404),
    ("POST", "/feedback", FEEDBACK, 404),
    ("GET", f"/feedback/{NOBODY}", None, 404),
    ("POST", f"/feedback/{NOBODY}:answer", {"answer": "a"}, 404),
    ("POST", f"/feedback/{NOBODY}:close", None, 404),
    ("GET", "/strategies/no-such", None, 404),
    ("PATCH", "/strategies/no-such", {}, 404),
    ("POST", "/strategies/no-such:activate", None, 404),
    ("POST", "/strategies/no-such:close", {"reason": "a"}, 404),
    ("GET", "/strategies/no-such/versions", None, 404),
    ("GET", "/strategies/no-such/campaigns", None, 404),
    ("GET", "/strategies/no-such/progress", None, 404),
    ("GET", "/channels/no-such", None, 404),
    ("PATCH", "/channels/no-such", {"per_minute": 5}, 404),
    ("POST", "/channels/no-such:enable", None, 404),
    ("POST", "/channels/no-such:disable", None, 404),
    ("POST", "/channels/no-such:test", {"recipient": "1", "body": "x"}, 404),
    ("GET", "/channels/no-such/tests", None, 404),
    ("POST", f"/campaigns/{NOBODY}:simulate", None, 404),
    *(
        ("GET", f"/{path}?cursor=x", None, 400)
        for path in (
            "absences",
            "workload",
            "coaching-notes",
            "feedback",
            "feedback/counts",
            "strategies",
            "channels",
        )
    ),
]


def _everybody(campaign: Running) -> httpx.AsyncClient:
    """Someone who may do all of it."""
    roles = (Role.strategist, Role.approver, Role.branch_head, Role.manager)
    return campaign.client(*roles, staff="WRONG1")


async def test_what_is_wrong_is_named(campaign: Running) -> None:
    passed = []
    async with _everybody(campaign) as client:
        for method, path, body, pointer in NAMED:
            answer = await client.request(method, f"/v1{path}", json=body, headers=V1)
            pointers = [error["pointer"] for error in answer.json().get("errors") or []]
            if answer.status_code != 422 or not any(each.startswith(pointer) for each in pointers):
                passed.append((method, path, body, answer.text))
    assert passed == []


async def test_what_is_not_there_is_not_found(campaign: Running) -> None:
    passed = []
    async with _everybody(campaign) as client:
        for method, path, body, status in NOWHERE:
            answer = await client.request(method, f"/v1{path}", json=body, headers=V1)
            if (answer.status_code, answer.headers["content-type"]) != (status, "application/problem+json"):
                passed.append((method, path, body, answer.text))
    assert passed == []
