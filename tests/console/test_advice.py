"""A card of advice says what accepting will do, what it did, and where it stopped half-way."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from nicegui import Client, ui
from nicegui.page import page

from services.console.api import Api
from services.console.i18n import Texts
from services.console.pages.advice import draw_advice
from services.console.pages.recommendations import Facts, _draw
from services.console.pages.words import Names, quantity
from services.console.session import User
from services.console.view import View
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign import CampaignSummary
from shared.contracts.evaluation import Recommendation
from shared.contracts.evaluation.recommendations import Calibration, StoppedCampaign, TrackRecord
from shared.ids import new_id

MOMENT = datetime(2026, 11, 22, 8, tzinfo=UTC)
NAME = {"zh": "财富", "en": "Wealth"}
SEGMENT = {"segment_id": new_id(), "segment_key": "wealth-aim-1"}
CREATED = {"campaign_id": new_id(), "campaign_key": "wealth-next-1"}
DECIDED = {"state": "accepted", "decided_by": "user:S1", "decided_at": MOMENT}
T = Texts("en")
NAMES = Names(orgs={}, segments={}, staff={}, language="en")


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(page("/"), request=None)
    with client:
        yield client
    client.delete()


def a_view() -> View:
    user = User("token", "user:x", "X", frozenset({Role.strategist}), "hq", "S1")
    return View(T, user, Api({}, "token"))


def shown(client: Client) -> str:
    return " ".join(each.content for each in client.elements.values() if isinstance(each, ui.html))


def advice(**changes: Any) -> Recommendation:
    facts = {"id": new_id(), "campaign_id": new_id(), "campaign_key": "wealth", "result_id": new_id()}
    words = {"campaign_name": NAME, "title": NAME, "text": NAME, "cells": []}
    evidence = {"rule": "r", "metric": "m", "n": 1, "n_hold_out": 1}
    kind = {"action": "re_target", "outcome": "act", "state": "open", "issued_at": MOMENT}
    return Recommendation.model_validate({**facts, **words, **kind, "evidence": evidence, **changes})


@pytest.mark.parametrize(
    ("changes", "says", "not_yet"),
    [
        ({"follow_up": "draft_segment"}, "drafts, in your name, a segment", "wealth-aim-1"),
        ({"follow_up": "draft_segment", "created_segment": SEGMENT}, "accept again", "wealth-next-1"),
        ({"created_segment": SEGMENT, "created": CREATED, **DECIDED}, "wealth-next-1", "accept again"),
        ({"created_segment": SEGMENT, "state": "superseded"}, "wealth-aim-1", "accept again"),
        ({"action": "stop", "follow_up": "stop_campaign"}, "is not to be repeated", "Not to be repeated"),
        ({"action": "stop", "stopped": "not_repeated", **DECIDED}, "Not to be repeated", "Accepting"),
        ({"action": "extend", "outcome": "no_evidence", **DECIDED}, "no next round", "Accepting"),
    ],
)
def test_a_card_says_what_accepting_does_or_did(
    client: Client, changes: dict[str, Any], says: str, not_yet: str
) -> None:
    async def again() -> None:
        raise AssertionError

    told = advice(**changes)
    draw_advice(a_view(), told, quantity(T, {}, "m", None), NAMES, again)
    text = shown(client)
    assert says.lower() in text.lower()
    assert not_yet not in text


def test_stops_and_drafts_given_up_are_on_record(client: Client) -> None:
    followed = advice(created=CREATED, follow_up="draft_campaign", **DECIDED)
    draft = CampaignSummary.model_validate(
        {
            "id": CREATED["campaign_id"],
            "key": CREATED["campaign_key"],
            "name": NAME,
            "status": "aborted",
            "version": 2,
            "created_at": MOMENT,
            "orgs": [],
            **dict.fromkeys(("owner", "start", "end", "launched_at", "completed_at")),
        }
    )
    stopped = StoppedCampaign.model_validate(
        {
            "recommendation_id": new_id(),
            "campaign_id": new_id(),
            "campaign_key": "dear",
            "campaign_name": NAME,
            "title": {"zh": "停止", "en": "It costs too much"},
            "stopped": "paused",
            "decided_at": MOMENT,
            "decided_by": "user:S1",
            "note": "until spring",
        }
    )
    nothing = Calibration(action=None, n=0, inside=None, mean_ratio=None)
    record = TrackRecord(
        items=[],
        overall=nothing,
        by_action=[],
        stopped=[stopped],
        waiting=2,
        not_launched=1,
        not_comparable=0,
    )
    facts = Facts(Page(items=[followed]), record, {}, NAMES, {followed.id: draft})
    _draw(a_view(), facts, "all")
    text = shown(client)
    assert T.word("state", "aborted") in text
    assert all(each in text for each in ("It costs too much", "until spring", T.word("stopped", "paused")))
    assert "2 followed and not evaluated yet, 1 of them never launched" in text
