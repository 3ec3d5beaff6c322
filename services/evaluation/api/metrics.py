"""Metric definitions."""

from typing import Annotated

from fastapi import Body

from services.evaluation.api.access import MetricWrite
from services.evaluation.queries.metrics import metric_page
from services.evaluation.usecases.metrics import define
from shared.contracts.base import Page
from shared.contracts.metrics import Metric, MetricCreate
from shared.pagination import PageParams
from shared.web import CurrentPrincipal, Router, Session, problem_responses

router = Router(tags=["metrics"])

_EXAMPLE = {
    "key": "salary_in_60d",
    "name": {"zh": "60天代发工资入账", "en": "Salary received, 60 days"},
    "kind": "sum",
    "window_days": 60,
    "source": {"events": [{"type": "salary.received"}]},
    "currency": "CNY",
    "covariate": True,
}


@router.post("/metrics", status_code=201, responses=problem_responses(409))
async def create_metric(
    session: Session,
    principal: MetricWrite,
    body: Annotated[MetricCreate, Body(openapi_examples={"salary": {"value": _EXAMPLE}})],
) -> Metric:
    """Define a metric from customer events. It never changes: a registration must mean the same for ever."""
    return await define(session, principal, body)


@router.get("/metrics")
async def list_metrics(session: Session, principal: CurrentPrincipal, page: PageParams) -> Page[Metric]:
    """Built-in metrics and those defined here, by key."""
    return await metric_page(session, page)
