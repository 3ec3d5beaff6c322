"""What belongs to no branch and is gone by in all of them is decided on at head office alone."""

from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.settings import SERVICES
from shared.web import Allowed
from tests.architecture.test_house_rules import _application, _routes

BANK_WIDE = {
    "customer": """
        PUT /products/{code}
        PUT /event-types/{event_type}
        PUT /retention-rules/{code}
        PUT /quality/rules/{code}
        PUT /value-models/{code}
        POST /value-models/{code}:run
    """,
    "segmentation": """
        POST /features
        PATCH /features/{feature}
        DELETE /features/{feature}
        POST /segments
        PATCH /segments/{segment}
        DELETE /segments/{segment}
        POST /segments/{segment}:publish
        POST /segments/{segment}:restore
        POST /segments/{segment}:refresh
        POST /insights/{insight_id}:promote
        POST /models
        POST /models/{model_id}/runs
        POST /model-runs/{run_id}:approve
        POST /model-runs/{run_id}:reproduce
        POST /model-runs/{run_id}:publish
        POST /churn-warnings:raise
        PUT /life-cycle/scheme
        POST /tier-schemes
        PATCH /tier-schemes/{scheme}
        POST /tier-schemes/{scheme}:apply
        POST /tier-lists/{list_id}:approve
        POST /tier-lists/{list_id}:reject
        POST /ge-matrices
        PATCH /ge-matrices/{matrix}
        POST /ge-matrices/{matrix}:weigh
    """,
    "campaign": """
        POST /offers
        POST /scripts
        POST /scripts/{ref}:approve
        POST /scripts/{ref}:reject
        POST /scripts/{ref}:retire
        POST /materials
        POST /materials/{ref}:approve
        POST /materials/{ref}:reject
        POST /materials/{ref}:retire
        POST /compliance-lists
        POST /contact-policies
        POST /quotas
        PATCH /quotas/{offer}
        POST /price-lists
        POST /price-lists/{ref}:approve
        POST /price-lists/{ref}:reject
        POST /opportunity-stages
        POST /channels
        PATCH /channels/{key}
        POST /channels/{key}:enable
        POST /channels/{key}:disable
        POST /channels/{key}:test
    """,
    "evaluation": """
        POST /metrics
        POST /service-quality/models
        POST /service-quality/models/{model_key}:run
        PUT /service-quality/models/{model_key}/observations/{period}
    """,
}


def _permissions(dependant: Dependant) -> Iterator[Allowed]:
    if isinstance(dependant.call, Allowed):
        yield dependant.call
    for child in dependant.dependencies:
        yield from _permissions(child)


def _is_of_head_office(route: APIRoute) -> bool:
    return any(permission.at_head_office for permission in _permissions(route.dependant))


@pytest.mark.parametrize("service", SERVICES)
def test_a_branch_decides_nothing_for_the_whole_bank(service: str) -> None:
    routes = {
        f"{method} {route.path.removeprefix('/v1')}": _is_of_head_office(route)
        for route in _routes(_application(service))
        for method in route.methods
    }
    wanted = [line.strip() for line in BANK_WIDE[service].splitlines() if line.strip()]
    assert [name for name in wanted if not routes[name]] == []
