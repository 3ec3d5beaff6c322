"""What the studio's steps write: put together, compared, copied, and told apart afterwards."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest
from nicegui import Client, ui
from nicegui.page import page
from pydantic import ValidationError

from services.console.api import Api, ApiProblem
from services.console.i18n import Texts
from services.console.pages.campaign_changes import changed_ways, fields_of
from services.console.pages.campaign_studio import saving
from services.console.pages.campaign_studio.audience import AudienceStep
from services.console.pages.campaign_studio.basics import BasicsStep
from services.console.pages.campaign_studio.bodies import changed, part_of, together
from services.console.pages.campaign_studio.choices import Choices
from services.console.pages.campaign_studio.copies import copy_of, nothing, with_parts
from services.console.pages.campaign_studio.objective import ObjectiveStep
from services.console.pages.campaign_studio.people import PeopleStep
from services.console.pages.campaign_studio.responsibility import ResponsibilityStep
from services.console.pages.campaign_studio.schedule import ScheduleStep
from services.console.pages.campaign_studio.scheme import SchemeStep
from services.console.pages.campaign_studio.step import Step
from services.console.session import User
from services.console.view import View
from services.console.widgets.fields import Parts, Place, show_problems, text_field
from shared import clock
from shared.auth import Role
from shared.contracts.base import LocalText, ProblemItem
from shared.contracts.campaign import CampaignContent, CampaignView
from shared.contracts.campaign.fixes import Objective
from shared.contracts.metrics import EventSource, Metric, MetricKind, MetricSource

VIEW: dict[str, Any] = {
    "id": "0192f0c5-0000-7000-8000-000000000001",
    "key": "wealth",
    "name": {"zh": "财富", "en": "Wealth"},
    "status": "draft",
    "version": 3,
    "missing": [],
    "verbs": ["edit"],
    "created_at": "2026-01-01T00:00:00+08:00",
    "created_by": "user:s1",
    "edited_by": "user:s1",
    "people": {"owner": "S1", "orgs": ["hq.sh", "hq.bj"]},
    "schedule": {"start": "2026-01-05", "end": "2026-01-15"},
    "responsibility": {
        "accountable": "S1",
        "measures": [{"org": "hq.sh.pudong", "target": "1"}, {"org": "hq.bj", "target": "2"}],
    },
}


def test_a_later_step_adds_to_what_an_earlier_one_begins() -> None:
    arms = [{"key": "a", "share": 0.5}, {"key": "b", "share": 0.4}]
    scheme = {"scheme": {"arms": arms, "hold_out": 0.1}}
    more = {"scheme": {"exit_segments": ["gone"], "arms": [{"key": "b", "journey": {"steps": []}}]}}
    assert together([scheme, more, {"budget": None}]) == {
        "scheme": {
            "arms": [arms[0], {**arms[1], "journey": {"steps": []}}],
            "hold_out": 0.1,
            "exit_segments": ["gone"],
        },
        "budget": None,
    }
    assert together([{"scheme": None}, {"scheme": None}]) == {"scheme": None}


def test_only_parts_that_differ_are_sent() -> None:
    drawn = {"name": {"zh": "一"}, "budget": None, "people": {"owner": "S1"}}
    body = {"name": {"zh": "一"}, "budget": {"amount": "5"}, "people": None}
    assert changed(body, drawn) == {"budget": {"amount": "5"}, "people": None}
    assert [part_of(pointer) for pointer in ("/scheme/arms/0/offer", "/key", "")] == ["scheme", "key", ""]


def test_a_copy_stays_within_the_copiers_reach_and_begins_today() -> None:
    campaign = CampaignView.model_validate(VIEW)
    branch = User("t", "user:x", "X", frozenset({Role.strategist}), "hq.sh", "S9")
    copy = copy_of(campaign, branch)
    assert copy.people is not None
    assert copy.schedule is not None
    assert copy.responsibility is not None
    assert copy.people.orgs == ["hq.sh"]
    assert copy.schedule.start == clock.today()
    assert (copy.schedule.end - copy.schedule.start).days == 10
    assert [each.org for each in copy.responsibility.measures] == ["hq.sh.pudong"]
    assert (copy.name.zh, copy.name.en) == ("财富（副本）", "Wealth (copy)")


def test_what_is_typed_is_kept_over_what_was_stored_meanwhile() -> None:
    campaign = CampaignView.model_validate(VIEW)
    typed = {"budget": {"amount": "5", "currency": "CNY"}, "people": {"owner": ""}}
    content, unread = with_parts(campaign, typed)
    assert content.budget is not None
    assert str(content.budget.amount) == "5"
    assert (content.people, unread) == (campaign.people, {"people"})


class _Service:
    """Refuses the parts it is told to, and remembers what was written."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.bodies: list[dict[str, Any]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = httpx.Response(200, content=request.content).json()
        self.bodies.append(body)
        wrong = [part for part in self.refused if part in body]
        if not wrong:
            return httpx.Response(200, json=VIEW)
        errors = [{"pointer": f"/{part}/x", "detail": "is odd"} for part in wrong[:1]]
        problem = {"type": "/problems/x", "title": "No", "status": 422, "errors": errors}
        return httpx.Response(422, json={**problem, "detail": "no"})

    @property
    def api(self) -> Api:
        transport = httpx.MockTransport(self.answer)
        return Api({"campaign": httpx.AsyncClient(transport=transport, base_url="http://x")}, "token")


async def test_what_is_right_is_saved_without_what_is_wrong() -> None:
    service, stored = _Service("scheme", "people"), CampaignView.model_validate(VIEW)
    parts: dict[str, Any] = {"scheme": {}, "people": {}, "budget": None}
    written = await saving.write(service.api, stored, "wealth", parts)
    assert service.bodies[-1] == written.saved == {"budget": None}
    assert [each.pointer for each in written.refused] == ["/scheme/x", "/people/x"]


@pytest.mark.parametrize("stored", [None, CampaignView.model_validate(VIEW)])
async def test_nothing_is_saved_when_all_is_wrong_or_a_new_campaign_lacks_its_name(
    stored: CampaignView | None,
) -> None:
    service = _Service("scheme", "name")
    with pytest.raises(ApiProblem) as refused:
        await saving.write(service.api, stored, "wealth", {"scheme": {}, "name": {}})
    assert sorted(each.pointer for each in refused.value.errors) == ["/name/x", "/scheme/x"]


def test_changes_are_named_by_key_and_what_is_gone_stands_last() -> None:
    before = {"scheme": {"arms": [{"key": "a", "share": 0.5}, {"key": "b", "share": 0.4}], "hold_out": 0.1}}
    after = {"scheme": {"arms": [{"key": "b", "share": 0.9}], "hold_out": 0.1}, "budget": {"amount": "5"}}
    assert changed_ways(fields_of(before), fields_of(after)) == [
        ("scheme", "arms", "[b]", "share"),
        ("budget", "amount"),
        ("scheme", "arms", "[a]", "key"),
        ("scheme", "arms", "[a]", "share"),
    ]


FULL: dict[str, Any] = {
    **VIEW,
    "strategy": "loyal",
    "objective": {
        "primary_metric": "net_inflow_30d",
        "target": "5000000.00",
        "guardrails": ["complaints_30d"],
        "key_tiers": ["gold"],
        "window_days": 45,
    },
    "scheme": {
        "scenario": {"kind": "product", "detail": {"products": ["FUND-1"], "note": {"by": "us"}}},
        "arms": [
            {
                "key": "call",
                "share": 0.333333,
                "offer": "gone-offer",
                "channel": "manager_task",
                "script": "talk@2",
                "materials": ["leaflet@1"],
            },
            {"key": "sms", "share": 0.566667, "offer": "o", "channel": "sms-1", "script": "text@1"},
        ],
        "hold_out": 0.1,
        "contact_policy": "gentle",
        "unit": "manager",
    },
    "people": {"owner": "S1", "assign": "primary_manager", "use_backup": False, "orgs": ["hq.sh"]},
    "schedule": {
        "start": "2026-01-05",
        "end": "2026-01-15",
        "waves": 3,
        "wave_gap_minutes": 180,
        "late_start": "expire",
    },
    "responsibility": {
        "accountable": "S1",
        "measures": [{"org": "hq.sh.pudong", "target": "1.50"}],
        "escalate_after_days": 0,
    },
    "audience": {
        "include": ["a", "b"],
        "exclude": ["c"],
        "limit": 100,
        "trigger": {"segment": "a", "on": "exit", "on_pause": "drop"},
    },
    "budget": {"amount": "1200.50", "currency": "EUR"},
}
_PARTS = ("name", "strategy", "objective", "scheme", "people", "schedule", "responsibility", "audience")
_NOTHING_KNOWN = Choices({}, {}, {}, [], [], {}, {}, {}, {}, {}, {}, {}, {})
_OWN_STEPS: tuple[Callable[[View, Choices], Step], ...] = (
    BasicsStep,
    ObjectiveStep,
    AudienceStep,
    SchemeStep,
    PeopleStep,
    ScheduleStep,
    ResponsibilityStep,
)


def _view() -> View:
    return View(
        Texts("en"), User("t", "user:x", "X", frozenset({Role.strategist}), "hq", "S9"), Api({}, "token")
    )


def _written(content: CampaignContent) -> dict[str, Any]:
    steps = [build(_view(), _NOTHING_KNOWN) for build in _OWN_STEPS]
    for step in steps:
        step.draw(content)
    places = [pointer for step in steps for pointer in step.places()]
    assert len(places) == len(set(places))
    return together(step.body() for step in steps)


async def test_the_forms_give_back_what_they_were_filled_with(client: Client) -> None:
    """To the last field, also what nobody offers any more and what no field shows."""
    content = CampaignView.model_validate(FULL)
    with client:
        written = _written(content)
    assert written == {part: FULL[part] for part in (*_PARTS, "budget")}
    again = CampaignContent.model_validate(written)
    assert again.model_dump(include=set(_PARTS)) == content.model_dump(include=set(_PARTS))


STOPS: list[dict[str, Any]] = [
    {"kind": "always_valid", "tuned_for": 12000},
    {
        "kind": "group_sequential",
        "spending": "pocock",
        "looks": [1 / 3, 0.55, 1.0],
        "customers": None,
    },
]


COMPLAINTS = Metric(
    key="complaints_30d",
    name=LocalText(zh="投诉率", en="Complained"),
    kind=MetricKind.PROPORTION,
    window_days=30,
    source=MetricSource(events=[EventSource(type="complaint.filed")]),
    built_in=True,
)


@pytest.mark.parametrize("stop", STOPS)
async def test_a_stop_rule_and_margins_come_back_as_they_were(stop: dict[str, Any], client: Client) -> None:
    objective = {
        **FULL["objective"],
        "guardrails": ["complaints_30d", "txn_count_30d"],
        "stop": stop,
        "margins": {"complaints_30d": "0.0021", "txn_count_30d": "1500"},
    }
    known = replace(_NOTHING_KNOWN, metrics={"complaints_30d": COMPLAINTS})
    step = ObjectiveStep(_view(), known)
    with client:
        step.draw(CampaignView.model_validate({**FULL, "objective": objective}))
        assert step.body() == {"objective": objective}
        fields = step.places()
        field = fields["/objective/margins/complaints_30d"]
        assert isinstance(field, ui.input)
        assert field.value == "0.21"  # in per cent
        # What was typed stays while guardrails come and go; what is no guardrail has no margin.
        guards = fields["/objective/guardrails"]
        assert isinstance(guards, ui.select)
        guards.set_value(["txn_count_30d"])
        assert step.body()["objective"]["margins"] == {"txn_count_30d": "1500"}
        guards.set_value(["complaints_30d"])
        assert step.body()["objective"]["margins"] == {"complaints_30d": "0.0021"}


async def test_what_is_wrong_with_a_stop_rule_stands_at_its_field(client: Client) -> None:
    step = ObjectiveStep(_view(), _NOTHING_KNOWN)
    stop = {"kind": "group_sequential", "looks": [0.5, 1.0]}
    with client:
        step.draw(CampaignView.model_validate({**FULL, "objective": {**FULL["objective"], "stop": stop}}))
        places = step.places()
        looks = places["/objective/stop/group_sequential/looks"]
        assert isinstance(looks, ui.input)
        looks.set_value("50，abc, 100%")
        typed = step.body()["objective"]
        assert typed["stop"]["looks"] == [0.5, "abc", 1.0]
        with pytest.raises(ValidationError) as refused:
            Objective.model_validate(typed)
        (error,) = refused.value.errors()
        pointer = "/".join(["/objective", *map(str, error["loc"])])
        item = ProblemItem(pointer=pointer, detail=error["msg"])
        assert show_problems(Texts("en"), places, [item]) == []
        assert looks.error == error["msg"]


async def test_empty_forms_write_nothing(client: Client) -> None:
    with client:
        written = _written(nothing())
    assert written.pop("name") == {"zh": "", "en": ""}
    assert set(written) == {*_PARTS, "budget"} - {"name"}
    assert set(written.values()) == {None}


class _Word:
    def __init__(self, word: str) -> None:
        self._field = text_field("word", word)

    def body(self) -> dict[str, Any]:
        return {"word": self._field.value}

    def places(self, at: str) -> dict[str, Place]:
        return {at: self._field}


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(page("/"), request=None)
    with client:
        yield client
    client.delete()


def test_parts_in_an_order_are_moved_up(client: Client) -> None:
    parts: Parts[_Word] = Parts(Texts("en"), "Another", lambda: _Word(""), ordered=True)
    for word in ("first", "second", "third"):
        parts.put(partial(_Word, word))
    rows = [each for each in client.elements.values() if "rule-leaf" in each.classes]
    parts.move_up(2)
    parts.move_up(0)
    assert [each["word"] for each in parts.body()] == ["first", "third", "second"]
    shown = rows[0].parent_slot
    assert shown is not None
    assert shown.children == [rows[0], rows[2], rows[1]]
