"""Effects of a campaign by any list of dimensions."""

import asyncio
from typing import Annotated, get_args

import numpy as np
from fastapi import Query, Response

from services.evaluation.api.access import CampaignId, ReviewRead
from services.evaluation.queries import campaigns, results
from services.evaluation.queries.breakdowns import MOST_ROWS, breakdown
from services.evaluation.queries.cell_blocks import cell_table
from services.evaluation.queries.metrics import frozen
from shared.contracts.evaluation import Breakdown, BreakdownBy
from shared.contracts.metrics import MetricKind
from shared.errors import FieldError, Unprocessable
from shared.web import Router, Session, problem_responses

router = Router(tags=["campaigns"])

Top = Annotated[
    int | None,
    Query(
        ge=1,
        le=MOST_ROWS,
        description="Only so many rows: those with the lowest p-values. Everything said of all cells stays",
    ),
]
By = Annotated[str, Query(description="Dimensions, separated by commas", examples=["segment,tier,branch"])]


@router.get(
    "/campaigns/{campaign_id}/breakdown",
    response_model=Breakdown,
    responses=problem_responses(404, 422),
)
async def get_breakdown(
    session: Session, principal: ReviewRead, campaign_id: CampaignId, by: By = "segment", top: Top = None
) -> Response:
    """Effects per combination of dimensions, in the reader's branches, as of the newest result.

    Segment, tier, branch and manager are those of the assignment; each cell is compared with its own
    hold-out. Channel and script follow from the arm, assigned by lot. The covariate is used in every
    cell. A single dimension also says whether the effect differs between its values.
    """
    dimensions = _dimensions(by)
    registration = await campaigns.registration(session, campaign_id)
    result = await results.required(session, campaign_id)
    plan = campaigns.plan_of(registration)
    metric = frozen(registration)[plan.primary_metric]
    if metric.kind is MetricKind.QUANTILE:
        raise Unprocessable(
            f"{metric.key!r} is a quantile: quantiles of cells do not add up, so that there is no breakdown.",
            errors=[FieldError("/query/by", "is not offered for this metric")],
        )
    cells = await cell_table(session, campaign_id, plan)
    if result.health.verdict != "ok":
        cells = cells.taken(np.zeros(len(cells), dtype=bool))
    body = await asyncio.to_thread(
        breakdown, campaign_id, result.data_until, cells, dimensions, plan, metric, top
    )
    return Response(body, media_type="application/json")


def _dimensions(by: str) -> list[BreakdownBy]:
    known = {name: name for name in get_args(BreakdownBy)}
    asked = [part.strip() for part in by.split(",")]
    if len(set(asked)) != len(asked) or not set(asked) <= known.keys():
        raise Unprocessable(
            f"`by` takes each of {', '.join(known)} at most once, separated by commas.",
            errors=[FieldError("/query/by", f"is {by!r}")],
        )
    return [known[name] for name in asked]
