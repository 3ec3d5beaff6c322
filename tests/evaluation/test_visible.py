"""What a reader below head office is told of an advice on the whole campaign."""

from typing import Any

from services.evaluation.api.visible import visible_advice, visible_health
from shared.auth import Principal
from shared.contracts.evaluation import Health, Recommendation
from shared.ids import new_id

HEAD_OFFICE, SHANGHAI = (Principal("user:s", frozenset(), org) for org in ("hq", "hq.sh"))


def advice(*cells: tuple[str, str], by: str | None = None) -> Recommendation:
    """A re-target at cells of (dimension, value); `by` what the policy that was looked at chooses by."""
    value: dict[str, Any] = {"n": 500, "gain": "4.00", "ci": ["1.00", "7.00"], "p_value": 0.01}
    return Recommendation.model_validate(
        {
            **dict.fromkeys(("id", "campaign_id", "result_id"), new_id()),
            "campaign_key": "wealth",
            "campaign_name": {"zh": "财富", "en": "Wealth"},
            "action": "re_target",
            "outcome": "test_next",
            "title": {"zh": "缩小", "en": "Aim"},
            "text": {"zh": "缩小。效果最好：hq.bj。", "en": "Aim. Best: hq.bj."},
            "evidence": {"rule": "cells-positive", "metric": "net_inflow_30d", "n": 600, "n_hold_out": 400},
            "cells": [
                {
                    "dimension": dimension,
                    "value": name,
                    "n": 50,
                    "difference": "9.00",
                    "ci": ["2.00", "16.00"],
                }
                | {"q_value": 0.01}
                for dimension, name in cells
            ],
            "policies": [
                {"action": "re_target", "outcome": "act", "dimension": by, "gain_ipw": "4.10", **value}
                | {"cells": [name for _, name in cells]}
            ],
            "state": "open",
            "issued_at": "2026-11-22T10:00:00Z",
        }
    )


def test_other_branches_and_all_managers_are_left_out_and_not_named_in_the_sentence() -> None:
    told = advice(("branch", "hq.bj.haidian"), ("branch", "hq.sh.pudong"), ("manager", "S9"), by="branch")
    seen = visible_advice(SHANGHAI, told)
    assert [cell.value for cell in seen.cells] == ["hq.sh.pudong"]
    assert seen.policies[0].cells == ["hq.sh.pudong"]
    assert (seen.text.zh, seen.text.en) == ("缩小。", "Aim.")
    assert (seen.evidence, seen.action) == (told.evidence, told.action)
    assert visible_advice(HEAD_OFFICE, told) is told


def test_segments_are_the_banks_and_stay() -> None:
    told = advice(("segment", "affluent"), by="segment")
    assert visible_advice(SHANGHAI, told) == told


def test_the_least_likely_branch_is_named_to_head_office() -> None:
    words = {"zh": "hq.bj 的分组比例最异常", "en": "least likely: hq.bj"}
    checks = [
        {"check": name, "ok": False, "p_value": 0.001, "detail": words["en"], "finding": words}
        for name in ("srm_branches", "srm")
    ]
    told = Health.model_validate({"verdict": "withheld", "checks": checks})
    branches, split = visible_health(SHANGHAI, told).checks
    assert branches.finding is not None
    assert "hq.bj" not in branches.detail + branches.finding.zh + branches.finding.en
    assert (branches.ok, branches.p_value, split) == (False, 0.001, told.checks[1])
    assert visible_health(HEAD_OFFICE, told) is told
