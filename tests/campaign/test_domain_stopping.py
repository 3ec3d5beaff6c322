"""When a campaign may be read early is approved with it, and told at its launch."""

from datetime import date

import pytest
from pydantic import ValidationError

from services.campaign.domain.fixes import contradictions
from services.campaign.domain.plan import plan_of
from shared.contracts.campaign import CampaignContent
from shared.ids import new_id
from tests.campaign.test_domain_follow_up import PARTS

RULES: dict[str, dict[str, object]] = {
    "stop": {"kind": "group_sequential", "looks": [0.5, 1.0], "customers": 2000},
    "margins": {"complaints_30d": "0.002"},
}


def content(**objective: object) -> CampaignContent:
    return CampaignContent.model_validate(
        PARTS | {"objective": {"primary_metric": "net_inflow_30d", **objective}}
    )


def test_the_registration_carries_the_rule_and_the_margins() -> None:
    told = plan_of(content(guardrails=["complaints_30d"], **RULES)).registration(new_id())
    assert told.model_dump(mode="json")["stop"] == {**RULES["stop"], "spending": "obrien_fleming"}
    assert told.model_dump(mode="json")["margins"] == RULES["margins"]


def test_without_them_neither_content_nor_registration_speaks_of_them() -> None:
    plain = content(guardrails=["complaints_30d"], stop={"kind": "fixed"}, margins={})
    assert plain == content(guardrails=["complaints_30d"])
    for told in (
        plain.model_dump(mode="json")["objective"],
        plan_of(plain).registration(new_id()).model_dump(),
    ):
        assert not {"stop", "margins"} & told.keys()


def test_a_margin_belongs_to_a_guardrail() -> None:
    found = contradictions(content(**RULES), date(2026, 9, 1))
    assert [each.pointer for each in found] == ["/objective/margins/complaints_30d"]
    assert contradictions(content(guardrails=["complaints_30d"], **RULES), date(2026, 9, 1)) == []


@pytest.mark.parametrize("margin", ["0", "-0.1", "NaN"])
def test_a_margin_is_above_zero(margin: str) -> None:
    with pytest.raises(ValueError, match="margins"):
        content(margins={"complaints_30d": margin})


@pytest.mark.parametrize("looks", [[], [1.0], [0.5, 0.505, 1.0], [0.5, 0.9]])
def test_looks_that_cannot_be_are_refused_at_their_field(looks: list[float]) -> None:
    with pytest.raises(ValidationError) as refused:
        content(stop={"kind": "group_sequential", "looks": looks})
    (error,) = refused.value.errors()
    assert error["loc"] == ("objective", "stop", "group_sequential", "looks")
