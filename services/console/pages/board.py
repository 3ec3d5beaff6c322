"""Strategy board 策略管理看板: the state of the loop and what each campaign has changed."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console import theme
from services.console.formats import NOTHING, Quantity, day, moment, percent, whole
from services.console.frame import heading
from services.console.pages.words import Metrics, advice_tag, metrics, quantity, state_tag
from services.console.view import View, page
from services.console.widgets import charts
from services.console.widgets.html import Cell, bar, html, link, table, tag, two_lines
from services.console.widgets.loop import Stage, loop
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.contracts.base import Page
from shared.contracts.campaign import CampaignSummary
from shared.contracts.evaluation import BoardCampaign, StrategyBoard
from shared.contracts.segmentation import PreviewView, SegmentState, SegmentView

_CHART_ROWS = 12
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
        pass
    _tiles(view, facts)
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("loop.title")))
        html(loop(t, _stages(view, facts)))
    if not facts.board.campaigns:
        with ui.element("section").classes("panel"):
            empty_state(t("board.empty"), t("board.empty.do"))
        return
    with ui.element("div").classes("grid cols-wide"):
        _effects(view, facts)
        _progress(view, facts.board.campaigns)
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("board.campaigns")))
        html(_table(view, facts))


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


def _effects(view: View, facts: Facts) -> None:
    """One chart per kind of quantity: an amount and a share do not go on one axis."""
    t = view.t
    groups: dict[Quantity, list[charts.Effect]] = {}
    for campaign in facts.board.campaigns[:_CHART_ROWS]:
        effect = campaign.effect
        if effect and effect.difference is not None and effect.ci is not None:
            unit = quantity(t, facts.metrics, campaign.primary_metric, campaign.currency)
            low, high = effect.ci
            row = charts.Effect(t.local(campaign.name), float(effect.difference), float(low), float(high))
            groups.setdefault(unit, []).append(row)
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("board.effects"), t("board.effects.note")
            )
        )
        for unit, rows in groups.items():
            charts.chart(
                charts.intervals(rows, unit), height=max(150, 46 * len(rows) + 86), label=t("board.effects")
            )
        if not groups:
            empty_state(t("board.effects.empty"), t("board.effects.empty.do"))


def _progress(view: View, campaigns: list[BoardCampaign]) -> None:
    t = view.t
    shown = campaigns[:_CHART_ROWS]
    parts = {
        t("progress.contacted"): [c.progress.contacted for c in shown],
        t("progress.open"): [c.progress.assigned - c.progress.contacted for c in shown],
        t("progress.hold_out"): [c.progress.hold_out for c in shown],
    }
    options = charts.stacked_bars(
        [t.local(campaign.name) for campaign in shown], parts, (theme.ACCENT, "#b9d6df", theme.HOLD_OUT)
    )
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("board.progress")))
        charts.chart(options, height=max(150, 46 * len(shown) + 86), label=t("board.progress"))


def _table(view: View, facts: Facts) -> Markup:
    t = view.t
    columns = [
        t(f"column.{name}")
        for name in (
            "campaign",
            "state",
            "objective",
            "target",
            "progress",
            "effect",
            "incremental",
            "advice",
        )
    ]
    rows = [_row(view, facts.metrics, campaign) for campaign in facts.board.campaigns]
    return table(columns, rows, right=(3, 5, 6))


def _row(view: View, known: Metrics, campaign: BoardCampaign) -> list[Cell]:
    t = view.t
    unit = quantity(t, known, campaign.primary_metric, campaign.currency)
    progress = campaign.progress
    return [
        two_lines(
            link(t.local(campaign.name), f"/campaigns/{campaign.campaign_id}"),
            f"{day(campaign.starts_on)} – {day(campaign.ends_on)}",
        ),
        state_tag(t, campaign.state),
        t.local(campaign.metric_name),
        two_lines(unit.total(campaign.target), _reached(view, campaign)),
        Markup('<span class="num nowrap">{} / {}</span>{}').format(
            whole(progress.contacted), whole(progress.assigned), bar(progress.share)
        ),
        *_effect_cells(view, campaign, unit),
        _advice(view, campaign),
    ]


def _reached(view: View, campaign: BoardCampaign) -> str:
    if campaign.target_reached is None:
        return ""
    return view.t("target.reached", share=percent(campaign.target_reached, 0))


def _effect_cells(view: View, campaign: BoardCampaign, unit: Quantity) -> tuple[Cell, Cell]:
    t, effect = view.t, campaign.effect
    if effect is None:
        return Markup('<span class="muted">{}</span>').format(t("effect.none")), NOTHING
    if effect.difference is None:
        return tag(t("effect.withheld"), "warn"), NOTHING
    return (
        two_lines(Markup("<b>{}</b>").format(unit.signed(effect.difference)), unit.interval(effect.ci)),
        two_lines(
            Markup("<b>{}</b>").format(unit.signed_total(effect.incremental)),
            t("effect.matured", share=percent(effect.matured, 0)),
        ),
    )


def _advice(view: View, campaign: BoardCampaign) -> Cell:
    advice = campaign.recommendation
    if advice is None:
        return Markup('<span class="muted">{}</span>').format(NOTHING)
    decision = view.t.word("decision", advice.state.value)
    return two_lines(
        advice_tag(view.t, advice.action.value, advice.outcome.value),
        f"{view.t.local(advice.title)} · {decision}",
    )
