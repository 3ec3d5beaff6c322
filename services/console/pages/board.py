"""Strategy board 策略管理看板: the state of the loop and what each campaign has changed."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, Quantity, day, moment, percent, whole
from services.console.frame import heading
from services.console.pages.board_campaigns import CampaignTable
from services.console.pages.report_button import report_button
from services.console.pages.words import Metrics, metrics
from services.console.view import View, page
from services.console.widgets.figures import panel
from services.console.widgets.html import html
from services.console.widgets.loop import Stage, loop
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.contracts.base import Page
from shared.contracts.campaign import CampaignSummary
from shared.contracts.evaluation import StrategyBoard
from shared.contracts.segmentation import PreviewView, SegmentState, SegmentView

_ANYBODY = {"definition": {"sql": "product_count >= 0"}, "sample": 0}


@dataclass(frozen=True)
class Facts:
    board: StrategyBoard
    metrics: Metrics
    customers: int | None
    segments: list[SegmentView] | None
    campaigns: list[CampaignSummary] | None

    def live_segments(self) -> int:
        return sum(segment.state is SegmentState.live for segment in self.segments or [])

    def statuses(self) -> Counter[str]:
        return Counter(campaign.status for campaign in self.campaigns or [])


@page("/", title="board.title", nav="board")
async def board_page(view: View) -> None:
    view.section(lambda: _fetch(view), lambda facts: _draw(view, facts), height=560)


async def _fetch(view: View) -> Facts:
    api = view.api
    board, known, customers, segments, campaigns = await asyncio.gather(
        api.get("evaluation", "/v1/boards/strategy", StrategyBoard),
        metrics(view),
        view.optional(api.post("segmentation", "/v1/segments:preview", PreviewView, _ANYBODY)),
        view.optional(api.get("segmentation", "/v1/segments", Page[SegmentView], {"limit": 500})),
        view.optional(api.get("campaign", "/v1/campaigns", Page[CampaignSummary], {"limit": 500})),
    )
    return Facts(
        board=board,
        metrics=known,
        customers=customers.of if customers else None,
        segments=segments.items if segments else None,
        campaigns=campaigns.items if campaigns else None,
    )


def _draw(view: View, facts: Facts) -> None:
    t = view.t
    with heading(t("board.title"), t("board.as_of", time=moment(facts.board.as_of))):
        report_button(view, "/v1/reports/strategy", f"strategy-{day(facts.board.as_of)}.pdf")
    _tiles(view, facts)
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("loop.title")))
        html(loop(t, _stages(view, facts)))
    if not facts.board.campaigns:
        with ui.element("section").classes("panel"):
            empty_state(t("board.empty"), t("board.empty.do"))
        return
    with panel(t("board.campaigns"), t("board.campaigns.note")):
        CampaignTable(view, facts.board.campaigns, facts.metrics).draw()


def _tiles(view: View, facts: Facts) -> None:
    t, totals = view.t, facts.board.totals
    drafts = len(facts.segments or []) - facts.live_segments()
    with ui.element("div").classes("grid cols-4"):
        kpi(t("board.customers"), whole(facts.customers), t("board.customers.note"))
        kpi(
            t("board.segments"),
            NOTHING if facts.segments is None else whole(facts.live_segments()),
            t("board.segments.note", n=drafts),
        )
        kpi(t("board.running"), whole(totals.running), t("board.running.note", n=totals.completed))
        total = Quantity(t.language, "sum", "CNY")
        kpi(t("board.effect"), total.signed(totals.incremental), _effect_note(view, facts), accent=True)


def _effect_note(view: View, facts: Facts) -> str:
    """The interval where one result stands behind the figure; else how many stand behind it."""
    t = view.t
    measured = [
        campaign.effect
        for campaign in facts.board.campaigns
        if campaign.currency == "CNY" and campaign.effect and campaign.effect.incremental is not None
    ]
    if len(measured) == 1:
        return t(
            "effect.interval",
            interval=Quantity(t.language, "sum", "CNY").interval(measured[0].incremental_ci),
        )
    return t("board.effect.note", n=len(measured))


def _stages(view: View, facts: Facts) -> list[Stage]:
    t, totals, statuses = view.t, facts.board.totals, facts.statuses()
    share = totals.customers_contacted / totals.customers_assigned if totals.customers_assigned else None
    evaluated = sum(campaign.effect is not None for campaign in facts.board.campaigns)
    return [
        Stage("insight", whole(facts.live_segments()), t("loop.insight.note", n=whole(facts.customers))),
        Stage(
            "strategy",
            whole(statuses.total()),
            t("loop.strategy.note", drafts=statuses["draft"], reviews=statuses["in_review"]),
        ),
        Stage(
            "execution",
            percent(share),
            t(
                "loop.execution.note",
                done=whole(totals.customers_contacted),
                all=whole(totals.customers_assigned),
            ),
        ),
        Stage("review", whole(evaluated), t("loop.review.note", n=totals.open_recommendations)),
    ]
