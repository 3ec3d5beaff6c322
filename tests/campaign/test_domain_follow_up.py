"""A campaign that follows a recommendation says so at its launch; one that does not is what it always was."""

from services.campaign.domain.plan import plan_of
from shared.contracts.campaign import CampaignContent
from shared.ids import new_id
from tests.campaign.conftest import a_scheme, an_arm

PARTS = {
    "name": {"zh": "财富", "en": "Wealth"},
    "objective": {"primary_metric": "net_inflow_30d"},
    "scheme": a_scheme(an_arm("call", 0.9), hold_out=0.1),
    "people": {"owner": "S1", "orgs": ["hq"]},
    "schedule": {"start": "2026-10-01", "end": "2026-10-31"},
    "responsibility": {"accountable": "S1"},
    "audience": {"include": ["affluent"]},
}


def test_the_registration_names_the_recommendation() -> None:
    recommendation = new_id()
    content = CampaignContent.model_validate(PARTS | {"recommendation_id": recommendation})
    assert plan_of(content).registration(new_id()).recommendation_id == recommendation


def test_without_one_neither_content_nor_registration_speaks_of_it() -> None:
    content = CampaignContent.model_validate(PARTS)
    assert "recommendation_id" not in content.model_dump(mode="json")
    assert "recommendation_id" not in plan_of(content).registration(new_id()).model_dump(mode="json")
