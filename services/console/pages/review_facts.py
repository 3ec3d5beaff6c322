"""What the review of one campaign is drawn from, fetched together."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.console.api import segment
from services.console.formats import Quantity
from services.console.pages.words import Metrics, Names, metrics, names, quantity
from services.console.view import View
from shared.charts.campaign import Pictures
from shared.charts.palette import SCREEN
from shared.contracts.base import Page
from shared.contracts.campaign.quotas import BudgetView, QuotaView
from shared.contracts.evaluation import CampaignBoard, Health
from shared.contracts.evaluation.pace import Pace
from shared.contracts.evaluation.series import CampaignSeries
from shared.contracts.metrics import Better

_NONE = "(none)"


@dataclass(frozen=True)
class ReviewFacts:
    """`health` only before there is a result; budget and quotas as far as the reader may see them."""

    board: CampaignBoard
    metrics: Metrics
    names: Names
    health: Health | None
    series: CampaignSeries | None
    pace: Pace | None
    budget: BudgetView | None
    quotas: Sequence[QuotaView]
    unit: Quantity
    pictures: Pictures

    @property
    def campaign_id(self) -> str:
        return str(self.board.campaign.campaign_id)


async def fetch_review(view: View, campaign_id: str) -> ReviewFacts:
    key = segment(campaign_id)
    (board, known, called, series), (pace, budget, quotas) = await asyncio.gather(
        asyncio.gather(
            view.api.get("evaluation", f"/v1/boards/campaigns/{key}", CampaignBoard),
            metrics(view),
            names(view, staff=True),
            view.optional(view.api.get("evaluation", f"/v1/campaigns/{key}/series", CampaignSeries)),
        ),
        asyncio.gather(
            view.optional(view.api.get("evaluation", f"/v1/campaigns/{key}/pace", Pace)),
            view.optional(view.api.get("campaign", f"/v1/campaigns/{key}/budget", BudgetView)),
            view.optional(view.api.get("campaign", "/v1/quotas", Page[QuotaView], {"limit": 500})),
        ),
    )
    health = None
    if board.result is None:
        path = f"/v1/campaigns/{key}/health"
        health = await view.optional(view.api.get("evaluation", path, Health))
    primary = board.registration.primary_metric
    unit = quantity(view.t, known, primary, board.campaign.currency)
    better = known[primary].better if primary in known else Better.HIGHER
    offers = {arm.offer for arm in board.registration.arms}
    return ReviewFacts(
        board=board,
        metrics=known,
        names=called,
        health=health,
        series=series,
        pace=pace,
        budget=budget,
        quotas=[quota for quota in (quotas.items if quotas else []) if quota.offer in offers],
        unit=unit,
        pictures=Pictures(unit, SCREEN, _called(view, called), better is Better.HIGHER),
    )


def _called(view: View, called: Names) -> Callable[[str, str], str]:
    """What a value of a dimension is called; `(none)`: the customer had none."""

    def name(dimension: str, value: str) -> str:
        if value == _NONE:
            return view.t("breakdown.nobody", dimension=view.t.word("dimension", dimension))
        if dimension == "channel":
            return view.t.word("channel", value)
        return called.value(dimension, value)

    return name
