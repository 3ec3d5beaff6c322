"""Recommendations 优化建议: what to do next, and how far earlier advice came true."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from markupsafe import Markup
from nicegui import ui

from services.console.api import Params, segment
from services.console.formats import NOTHING, Quantity, day, percent, whole
from services.console.frame import heading
from services.console.pages.advice import draw_advice
from services.console.pages.words import Metrics, Names, advice_tag, metrics, names, quantity
from services.console.view import View, page
from services.console.widgets.html import Cell, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.contracts.base import Page
from shared.contracts.campaign import CampaignSummary
from shared.contracts.evaluation import Recommendation, RecommendationState
from shared.contracts.evaluation.recommendations import (
    Calibration,
    StoppedCampaign,
    TrackedRecommendation,
    TrackRecord,
)

_PAGE = 20
_ALL = "all"
_COLUMNS = ("campaign", "action", "predicted", "realised", "inside", "mean_ratio", "follow_up")
_SUMMARY = ("action", "n", "share_inside", "mean_ratio")
_STOPS = ("campaign", "reason", "effect", "decided")


@dataclass(frozen=True)
class Facts:
    found: Page[Recommendation]
    record: TrackRecord | None
    metrics: Metrics
    names: Names
    drafts: Mapping[UUID, CampaignSummary]
    """What became of the campaigns that accepting drafted, by recommendation."""


@page("/recommendations", title="recommendations.title", nav="recommendations")
async def recommendations_page(view: View, state: str = RecommendationState.OPEN.value) -> None:
    t = view.t
    states = {_ALL: t("recommendations.all")}
    states |= {each.value: t.word("decision", each.value) for each in RecommendationState}
    chosen = state if state in states else _ALL
    with heading(t("recommendations.title"), t("recommendations.note")):
        ui.select(
            states,
            value=chosen,
            label=t("recommendations.filter"),
            on_change=lambda changed: ui.navigate.to(f"/recommendations?state={changed.value}"),
        ).props("outlined dense").style("min-width: 160px")
    view.section(lambda: _fetch(view, chosen), lambda facts: _draw(view, facts, chosen), height=420)


async def _fetch(view: View, state: str) -> Facts:
    asked: Params = {"limit": _PAGE, "state": None if state == _ALL else state}
    found, record, known, named = await asyncio.gather(
        view.api.get("evaluation", "/v1/recommendations", Page[Recommendation], asked),
        view.optional(view.api.get("evaluation", "/v1/recommendations/track-record", TrackRecord)),
        metrics(view),
        names(view),
    )
    return Facts(found, record, known, named, await _drafts(view, found.items))


async def _drafts(view: View, listed: Sequence[Recommendation]) -> dict[UUID, CampaignSummary]:
    followed = [advice.id for advice in listed if advice.created is not None]
    found = await asyncio.gather(*(_draft(view, each) for each in followed))
    return {key: draft for key, draft in zip(followed, found, strict=True) if draft is not None}


async def _draft(view: View, advice: UUID) -> CampaignSummary | None:
    asked: Params = {"recommendation_id": str(advice), "limit": 1}
    page = await view.optional(view.api.get("campaign", "/v1/campaigns", Page[CampaignSummary], asked))
    return next(iter(page.items), None) if page else None


def _draw(view: View, facts: Facts, state: str) -> None:
    t = view.t

    async def again() -> None:
        ui.navigate.to(f"/recommendations?state={state}")

    if facts.record is not None:
        _track(view, facts.record, facts.metrics)
    if not facts.found.items:
        with ui.element("section").classes("panel"):
            empty_state(t("recommendations.empty"), t("recommendations.empty.do"))
        return
    for advice in facts.found.items:
        draw_advice(
            view,
            advice,
            _unit(view, facts, advice),
            facts.names,
            again,
            with_campaign=True,
            draft=facts.drafts.get(advice.id),
        )
    if facts.found.next_cursor:
        html(Markup("<p class='muted small'>{}</p>").format(t("recommendations.more", n=_PAGE)))


def _unit(view: View, facts: Facts, advice: Recommendation) -> Quantity:
    metric = facts.metrics.get(advice.evidence.metric)
    return quantity(view.t, facts.metrics, advice.evidence.metric, metric.currency if metric else None)


# ── track record ──────────────────────────────────────────────────────────────────────────────────────────


def _track(view: View, record: TrackRecord, known: Metrics) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("recommendations.track"), t("recommendations.track.note")
            )
        )
        if not record.items:
            empty_state(t("recommendations.track.empty"), t("recommendations.track.empty.do"))
        else:
            summary = [record.overall, *record.by_action]
            html(
                table(
                    [t(f"recommendations.{name}") for name in _SUMMARY],
                    [_calibration(view, each) for each in summary],
                    right=(1, 2, 3),
                )
            )
            html(
                table(
                    [t(f"recommendations.{name}") for name in _COLUMNS],
                    [_tracked(view, each, known) for each in record.items],
                    right=(2, 3, 5),
                )
            ).style("margin-top: 12px")
        if record.waiting or record.not_comparable:
            told = t(
                "recommendations.waiting",
                n=whole(record.waiting),
                k=whole(record.not_launched),
                m=whole(record.not_comparable),
            )
            html(Markup("<p class='muted small'>{}</p>").format(told))
        if record.stopped:
            html(Markup("<h3>{}</h3>").format(t("recommendations.stopped"))).style("margin-top: 12px")
            html(
                table(
                    [t(f"recommendations.{name}") for name in _STOPS],
                    [_stop(view, each) for each in record.stopped],
                )
            )


def _stop(view: View, each: StoppedCampaign) -> list[Cell]:
    t = view.t
    named = link(t.local(each.campaign_name), f"/campaigns/{segment(each.campaign_id)}")
    return [
        two_lines(named, each.campaign_key),
        t.local(each.title),
        t.word("stopped", each.stopped.value) if each.stopped else NOTHING,
        two_lines(day(each.decided_at), f"{each.decided_by} {each.note or ''}"),
    ]


def _calibration(view: View, found: Calibration) -> list[Cell]:
    t = view.t
    return [
        t.word("advice", found.action.value) if found.action else t("recommendations.all"),
        whole(found.n),
        NOTHING if found.inside is None else percent(found.inside, 0),
        NOTHING if found.mean_ratio is None else f"{found.mean_ratio:.2f}",
    ]


def _tracked(view: View, each: TrackedRecommendation, known: Metrics) -> list[Cell]:
    t = view.t
    metric = known.get(each.metric)
    unit = quantity(t, known, each.metric, metric.currency if metric else None)
    inside = t("recommendations.inside.yes" if each.inside else "recommendations.inside.no")
    return [
        two_lines(each.campaign_key, day(each.decided_at)),
        advice_tag(t, each.action.value, each.outcome.value),
        two_lines(unit.signed(each.predicted), unit.interval(each.predicted_ci)),
        two_lines(Markup("<b>{}</b>").format(unit.signed(each.realised)), unit.interval(each.realised_ci)),
        tag(inside, "good" if each.inside else "warn"),
        NOTHING if each.ratio is None else f"{each.ratio:.2f}",
        link(each.follow_up_key, f"/campaigns/{segment(each.follow_up_id)}"),
    ]
