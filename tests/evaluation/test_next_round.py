"""The next campaign is the last one with what the recommendation changes, and whether it came true."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from scipy import stats

from services.evaluation.domain.aimed_segment import aimed_segment
from services.evaluation.domain.calibration import Estimate, compared, summarised
from services.evaluation.domain.next_round import next_round
from services.evaluation.usecases.follow_up import stop_campaign
from services.segmentation.domain.definitions import read_definition
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.text import to_sql
from shared.contracts.campaign import CampaignView, PauseRequest
from shared.contracts.conditions import AnyOf, SegmentCondition
from shared.contracts.evaluation import Recommendation
from shared.contracts.evaluation.recommendations import Stop
from shared.contracts.segmentation.tiers import TierSchemeView
from shared.errors import Unprocessable
from shared.ids import new_id
from shared.service import Runtime

TODAY = date(2026, 11, 22)
MOMENT = datetime(2026, 11, 1, tzinfo=UTC)


def campaign(**changes: object) -> CampaignView:
    arms = [
        {"key": key, "share": 0.4, "offer": "w", "channel": channel, "script": "w@1"}
        for key, channel in (("call", "manager_task"), ("sms", "sms"))
    ]
    content: dict[str, object] = {
        "name": {"zh": "财富", "en": "Wealth"},
        "scheme": {"scenario": {"kind": "product"}, "arms": arms, "hold_out": 0.2},
        "people": {"owner": "S1", "orgs": ["hq.sh", "hq.bj"]},
        "schedule": {"start": "2026-10-01", "end": "2026-10-31"},
        "responsibility": {
            "accountable": "S1",
            "measures": [{"org": org, "target": "1.00"} for org in ("hq.sh.pudong", "hq.bj.haidian")],
        },
        "audience": {"include": ["young", "affluent"], "exclude": ["complained"], "limit": 1000},
    }
    facts = {"id": new_id(), "key": "wealth", "status": "completed", "version": 9, "missing": [], "verbs": []}
    people = {"created_at": MOMENT, "created_by": "user:S1", "edited_by": "user:S1"}
    return CampaignView.model_validate(content | facts | people | changes)


def policy(action: str, **changes: object) -> dict[str, object]:
    figures = {"n": 100, "gain": "1", "ci": ["0.5", "1.5"], "p_value": 0.01, "gain_ipw": "1"}
    return {"action": action, "outcome": "act", **figures, **changes}


def advice(action: str, outcome: str = "act", rule: str = "r", **changes: Any) -> Recommendation:
    evidence = {"rule": rule, "metric": "m", "n": 1, "n_hold_out": 1} | changes.pop("evidence", {})
    facts = {"id": new_id(), "campaign_id": new_id(), "campaign_key": "wealth", "result_id": new_id()}
    words = {"campaign_name": {"zh": "a", "en": "a"}, "title": {"zh": "a", "en": "a"}}
    return Recommendation.model_validate(
        {
            **facts,
            **words,
            "action": action,
            "outcome": outcome,
            "text": {"zh": "a", "en": "a"},
            "evidence": evidence,
            "cells": [],
            "state": "open",
            "issued_at": MOMENT,
            **changes,
        }
    )


def cell(dimension: str, value: str) -> dict[str, object]:
    return {
        "dimension": dimension,
        "value": value,
        "n": 9,
        "difference": "1",
        "ci": ["0", "2"],
        "q_value": 0.01,
    }


def test_the_same_again_begins_tomorrow_and_says_what_it_follows() -> None:
    once, following = campaign(), advice("continue")
    draft = next_round(once, following, TODAY)
    assert (draft.recommendation_id, draft.key) == (following.id, f"wealth-next-{following.id.hex[-8:]}")
    assert draft.schedule is not None
    assert (draft.schedule.start, draft.schedule.end) == (date(2026, 11, 23), date(2026, 12, 23))
    assert (draft.audience, draft.scheme, draft.people) == (once.audience, once.scheme, once.people)
    assert next_round(once, following, TODAY) == draft


def test_cells_are_aimed_at_by_audience_or_by_organisations() -> None:
    aimed = advice("re_target", policies=[policy("re_target", dimension="segment", cells=["affluent"])])
    draft = next_round(campaign(), aimed, TODAY)
    assert draft.audience is not None
    assert (draft.audience.include, draft.audience.exclude) == (["affluent"], ["complained"])
    branches = ["hq.sh.pudong", "hq.sh.xuhui"]
    placed = advice("re_target", policies=[policy("re_target", dimension="branch", cells=branches)])
    draft = next_round(campaign(), placed, TODAY)
    assert draft.people is not None
    assert draft.responsibility is not None
    assert draft.people.orgs == branches
    assert [measure.org for measure in draft.responsibility.measures] == ["hq.sh.pudong"]
    looked = advice(
        "re_target", "test_next", cells=[cell("segment", "young"), cell("branch", "hq.bj.haidian")]
    )
    draft = next_round(campaign(), looked, TODAY)
    assert draft.audience is not None
    assert draft.people is not None
    assert (draft.audience.include, draft.people.orgs) == (["young"], ["hq.sh", "hq.bj"])


def scheme(**changes: object) -> TierSchemeView:
    """Four tiers of assets, from low to high; their names are their codes."""
    limits = {"basic": None, "silver": 50_000, "gold": 500_000, "private": 6_000_000}
    tiers = [
        {"code": code, "name": {"zh": code, "en": code}, "upgrade_at": up} for code, up in limits.items()
    ]
    facts = {"id": new_id(), "key": "value-tiers", "kind": "value", "revision": 1, "minimum_stay_days": 30}
    words = {"name": {"zh": "等级", "en": "Tiers"}, "description": "", "feature": "aum"}
    when = {"created_at": MOMENT, "updated_at": MOMENT}
    return TierSchemeView.model_validate(facts | words | when | {"tiers": tiers} | changes)


def by_tier(*kept: str) -> Recommendation:
    policies = [
        policy("re_target", dimension="segment", cells=["affluent"], gain="9"),
        policy("re_target", dimension="tier", cells=list(kept), scheme="value-tiers", followed=True),
    ]
    return advice("re_target", policies=policies, follow_up="draft_segment")


@pytest.mark.parametrize(
    ("kept", "rule"),
    [
        (["gold"], "aum >= 500000 and aum < 6000000"),
        (["gold", "private"], "aum >= 500000"),
        (["private", "gold", "silver"], "aum >= 50000"),
        (["basic"], "aum < 50000"),
        (["basic", "gold"], "aum < 50000 or (aum >= 500000 and aum < 6000000)"),
        (["basic", "silver", "private"], "aum < 500000 or aum >= 6000000"),
    ],
)
def test_tiers_are_aimed_at_by_the_thresholds_between_which_they_lie(kept: list[str], rule: str) -> None:
    following = by_tier(*kept)
    made = aimed_segment(campaign(), following, scheme())
    assert made.key == f"wealth-aim-{following.id.hex[-8:]}"
    assert (str(following.id) in made.description, "value-tiers" in made.description) == (True, True)
    written = to_sql(read_definition(made.definition, BUILT_IN))
    among = "(in_segment('young') or in_segment('affluent'))"
    assert written == f"{among} and {f'({rule})' if ' or ' in rule else rule}"
    # The next campaign aims at the segment, and at nobody else's.
    draft = next_round(campaign(), following, TODAY, made.key)
    assert draft.audience is not None
    assert (draft.audience.include, draft.audience.exclude) == ([made.key], ["complained"])
    assert (draft.people, draft.scheme) == (campaign().people, campaign().scheme)


def test_a_segment_that_cannot_be_written_says_why() -> None:
    with pytest.raises(Unprocessable, match="no tier diamond"):
        aimed_segment(campaign(), by_tier("gold", "diamond"), scheme())
    with pytest.raises(Unprocessable, match="no audience"):
        aimed_segment(campaign(audience=None), by_tier("gold"), scheme())
    with pytest.raises(Unprocessable, match="names no tiers"):
        aimed_segment(campaign(), advice("re_target"), scheme())
    everybody = aimed_segment(campaign(), by_tier("basic", "silver", "gold", "private"), scheme())
    assert everybody.definition == AnyOf(
        any=[SegmentCondition(segment="young"), SegmentCondition(segment="affluent")]
    )


class TheCampaign(httpx.MockTransport):
    """The campaign service of one campaign, which counts what is asked of it."""

    def __init__(self, status: str) -> None:
        super().__init__(self._answer)
        self.view, self.paused = campaign(status=status), []  # type: ignore[var-annotated]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.paused.append(request.content)
        return httpx.Response(200, content=self.view.model_dump_json())


@pytest.mark.parametrize(
    ("status", "stopped", "pauses"),
    [
        ("running", Stop.PAUSED, 1),
        ("paused", Stop.PAUSED, 0),
        ("draining", Stop.NOT_REPEATED, 0),
        ("completed", Stop.NOT_REPEATED, 0),
        ("aborted", Stop.NOT_REPEATED, 0),
    ],
)
async def test_a_stop_pauses_what_runs_and_nothing_else(status: str, stopped: Stop, pauses: int) -> None:
    service = TheCampaign(status)
    async with httpx.AsyncClient(transport=service, base_url="http://campaign") as client:
        runtime = cast("Runtime", SimpleNamespace(client=lambda _: client))
        found = await stop_campaign(runtime, {}, advice("stop"), "n" * 4_000)
    assert (found, len(service.paused)) == (stopped, pauses)
    if pauses:
        assert len(PauseRequest.model_validate_json(service.paused[0]).reason) == 4_000


def test_more_branches_than_a_campaign_can_name_are_refused() -> None:
    many = [f"hq.b{number}" for number in range(201)]
    with pytest.raises(Unprocessable, match="people/orgs"):
        next_round(
            campaign(),
            advice("re_target", policies=[policy("re_target", dimension="branch", cells=many)]),
            TODAY,
        )


def test_shares_change_and_the_hold_out_stays() -> None:
    shifted = advice("re_allocate", policies=[policy("re_allocate", shares={"call": 0.6777, "sms": 0.1223})])
    draft = next_round(campaign(), shifted, TODAY)
    assert draft.scheme is not None
    assert [arm.share for arm in draft.scheme.arms] == [pytest.approx(0.6777), pytest.approx(0.1223)]
    assert sum(arm.share for arm in draft.scheme.arms) + draft.scheme.hold_out == pytest.approx(1, abs=1e-12)
    only = advice("re_channel", policies=[policy("re_channel", shares={"sms": 0.8})])
    draft = next_round(campaign(), only, TODAY)
    assert draft.scheme is not None
    assert [(arm.key, arm.share) for arm in draft.scheme.arms] == [("sms", 0.8)]


def test_a_next_test_has_a_hold_out_and_as_many_as_it_needs() -> None:
    without = campaign(scheme=campaign().scheme.model_dump() | {"hold_out": 0.0})  # type: ignore[union-attr]
    draft = next_round(without, advice("extend", "test_next", "no-hold-out"), TODAY)
    assert draft.scheme is not None
    assert draft.scheme.hold_out == pytest.approx(0.1)
    assert [arm.share for arm in draft.scheme.arms] == [pytest.approx(0.45)] * 2
    larger = advice("extend", "test_next", "too-small-to-tell", evidence={"n_needed": 700})
    draft = next_round(campaign(), larger, TODAY)
    assert draft.audience is not None
    assert draft.audience.limit == 3500  # a fifth of them is held out
    enough = advice("extend", "test_next", "too-small-to-tell", evidence={"n_needed": 50})
    draft = next_round(campaign(), enough, TODAY)
    assert draft.audience is not None
    assert draft.audience.limit == 1000


def test_a_prediction_came_true_when_the_difference_may_be_chance() -> None:
    wide = stats.norm.ppf(0.95)
    predicted, realised = (
        Estimate(10.0, (10 - 3 * wide, 10 + 3 * wide), 0.1),
        Estimate(20.0, (12.16, 27.84), 0.05),
    )
    assert predicted.error == pytest.approx(3)
    assert realised.error == pytest.approx(4, rel=1e-3)
    # 1.96 · √(3² + 4²) is 9.8: ten apart is more than chance, nine is not.
    far, near = compared(predicted, realised), compared(predicted, Estimate(19.0, (11.16, 26.84), 0.05))
    assert (far.inside, far.ratio) == (False, pytest.approx(2.0))
    assert (near.inside, near.ratio) == (True, pytest.approx(1.9))
    assert compared(Estimate(0.0, (-1, 1), 0.05), realised).ratio is None
    summary = summarised([far, near])
    assert (summary.n, summary.inside, summary.mean_ratio) == (2, 0.5, pytest.approx(1.95))
    nothing = summarised([])
    assert (nothing.n, nothing.inside, nothing.mean_ratio) == (0, None, None)
