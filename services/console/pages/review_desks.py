"""Beside what a campaign changed: versions of scripts, referrals, opportunities, and what managers say."""

import asyncio
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, Quantity, exact_money, p_value, percent, whole
from services.console.pages.words import Names
from services.console.view import View
from services.console.widgets.html import Cell, facts, html, table, two_lines
from services.console.widgets.states import empty_state
from shared.contracts.campaign.opportunities import StageList
from shared.contracts.evaluation import CampaignBoard, Narrative
from shared.contracts.evaluation.review import (
    CampaignReview,
    OpportunityGroup,
    ReferralCounts,
    ReferralResults,
    ScriptRecord,
)
from shared.contracts.evaluation.scripts import ScriptComparison, ScriptEffect, ScriptEffects
from shared.verdict_words import why_none

_PAIRS = 8
Quartiles = tuple[float, float, float]


@dataclass(frozen=True)
class Reviewed:
    review: CampaignReview
    stages: dict[str, str]


def draw_desks(view: View, board: CampaignBoard, unit: Quantity, names: Names) -> None:
    """Loads by itself, below the result."""
    scripts = board.result.scripts if board.result else None
    view.section(
        lambda: _fetch(view, str(board.campaign.campaign_id)),
        lambda seen: _draw(view, seen, scripts, unit, names),
        height=320,
    )


async def _fetch(view: View, campaign_id: str) -> Reviewed:
    review, stages = await asyncio.gather(
        view.api.get("evaluation", f"/v1/campaigns/{segment(campaign_id)}/review", CampaignReview),
        view.optional(view.api.get("campaign", "/v1/opportunity-stages/current", StageList)),
    )
    named = {stage.key: view.t.local(stage.name) for stage in stages.stages} if stages else {}
    return Reviewed(review, named)


def _draw(view: View, seen: Reviewed, scripts: ScriptEffects | None, unit: Quantity, names: Names) -> None:
    with ui.element("section").classes("panel") as panel:
        panel.props["aria-label"] = view.t("review.scripts")
        _scripts(view, seen.review, scripts, unit)
    with ui.element("div").classes("grid cols-2"):
        with ui.element("section").classes("panel") as panel:
            panel.props["aria-label"] = view.t("review.referrals")
            _referrals(view, seen.review.referrals, names)
        with ui.element("section").classes("panel") as panel:
            panel.props["aria-label"] = view.t("review.opportunities")
            _opportunities(view, seen)
    with ui.element("section").classes("panel") as panel:
        panel.props["aria-label"] = view.t("review.feedback")
        _feedback(view, seen.review)
        html(_reading(view, seen.review.reading))


def _head(title: str, note: str) -> Markup:
    return Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(title, note)


def _reading(view: View, text: Narrative) -> Markup:
    return Markup('<p class="muted small" style="margin-top:8px">{}</p>').format(view.t.local(text))


# ── scripts ───────────────────────────────────────────────────────────────────────────────────────────────


def _scripts(view: View, review: CampaignReview, scripts: ScriptEffects | None, unit: Quantity) -> None:
    t = view.t
    html(_head(t("review.scripts"), t("review.scripts.note")))
    effects = {each.script: each for each in scripts.effects} if scripts else {}
    columns = [
        t("review.version"),
        t("column.n"),
        t("column.difference"),
        t("funnel.contacted"),
        t("funnel.reached"),
        t("funnel.responded"),
        t("review.rating"),
    ]
    rows = [_script_row(record, effects.get(record.script), unit) for record in review.scripts]
    html(table(columns, rows, right=range(1, 7)))
    if scripts is None:
        return
    if scripts.comparisons:
        versus = [
            t(f"review.{name}") for name in ("version", "other", "versus_n", "difference", "also_differ_in")
        ]
        versus.insert(4, t("column.q"))
        compared = [_versus_row(view, each, unit) for each in scripts.comparisons]
        html(Markup('<h3 style="margin-top:14px">{}</h3>').format(t("review.versus")))
        html(table(versus, compared, right=range(2, 5)))
    html(_reading(view, scripts.reading))


def _script_row(record: ScriptRecord, found: ScriptEffect | None, unit: Quantity) -> list[Cell]:
    effect, funnel = found.effect if found else None, record.funnel
    changed: list[Cell] = [whole(funnel.assigned), _missing(found, unit)]
    if effect is not None:
        changed = [
            f"{whole(effect.n)} / {whole(effect.n_hold_out)}",
            two_lines(Markup("<b>{}</b>").format(unit.signed(effect.difference)), unit.interval(effect.ci)),
        ]
    base = funnel.assigned or 1
    reached = [funnel.contacted, funnel.reached, funnel.responded]
    return [
        two_lines(record.script, " · ".join(record.arms)),
        *changed,
        *(two_lines(whole(count), percent(count / base)) for count in reached),
        NOTHING if record.mean is None else f"{record.mean:.1f} ({whole(record.given)})",
    ]


def _missing(found: ScriptEffect | ScriptComparison | None, unit: Quantity) -> Markup:
    why = why_none(found.error_code, found.error, unit.language) if found and found.error else ""
    return Markup('<span class="muted" title="{}">{}</span>').format(why, NOTHING)


def _versus_row(view: View, found: ScriptComparison, unit: Quantity) -> list[Cell]:
    difference: Cell = _missing(found, unit)
    if found.difference is not None:
        difference = two_lines(
            Markup("<b>{}</b>").format(unit.signed(found.difference)), unit.interval(found.ci)
        )
    also = " · ".join(view.t.word("review.trait", trait) for trait in found.also_differ_in)
    return [
        found.script,
        found.other,
        f"{whole(found.n)} / {whole(found.n_other)}",
        difference,
        p_value(found.q_value),
        also or view.t("review.words_only"),
    ]


# ── referrals and opportunities ───────────────────────────────────────────────────────────────────────────


def _referrals(view: View, found: ReferralResults, names: Names) -> None:
    t, total = view.t, found.total
    html(_head(t("review.referrals"), t("review.referrals.note")))
    if not total.made:
        empty_state(t("review.referrals.none"), t("review.referrals.none.do"))
        return
    pairs: list[tuple[str, Cell]] = [
        (t("review.made"), whole(total.made)),
        (t("review.accepted"), f"{whole(total.accepted)} ({percent(total.acceptance)})"),
        *(
            (t.word("referral_state", state), whole(getattr(total, state)))
            for state in ("rejected", "lapsed")
        ),
        (t("referral_state.won"), f"{whole(total.won)} ({percent(total.win_rate)})"),
        (t("review.hours"), _quartiles(total.hours_to_answer)),
        *_credited(view, total),
    ]
    html(facts(pairs))
    columns = [t(f"review.{name}") for name in ("pair", "made", "accepted")]
    columns += [t.word("referral_state", state) for state in ("rejected", "lapsed", "won")]
    rows: list[list[Cell]] = [
        [
            f"{names.org(pair.from_org)} → {names.org(pair.to_org)}",
            *(whole(getattr(pair, name)) for name in ("made", "accepted", "rejected", "lapsed", "won")),
        ]
        for pair in found.pairs[:_PAIRS]
    ]
    html(table(columns, rows, right=range(1, 6))).style("margin-top: 12px")


def _credited(view: View, total: ReferralCounts) -> list[tuple[str, Cell]]:
    t = view.t
    return [
        (
            t("review.credited"),
            two_lines(
                exact_money(each.amount, each.currency),
                t(
                    "review.credited.parts",
                    referrer=exact_money(each.referrer, each.currency),
                    receiver=exact_money(each.receiver, each.currency),
                ),
            ),
        )
        for each in total.credited
    ]


def _opportunities(view: View, seen: Reviewed) -> None:
    t, found = view.t, seen.review.opportunities
    html(_head(t("review.opportunities"), t("review.opportunities.note")))
    if not found.groups:
        empty_state(t("review.opportunities.none"), t("review.opportunities.none.do"))
        return
    group = found.groups[0]
    html(facts(_outcome(view, group, found.currency)))
    columns = [t(f"opportunities.column.{name}") for name in ("stage", "reached", "open", "conversion")]
    columns.append(t("review.days"))
    rows: list[list[Cell]] = [
        [
            seen.stages.get(stage.key, stage.key),
            whole(stage.reached),
            whole(stage.open),
            percent(stage.conversion),
            _quartiles(stage.days),
        ]
        for stage in group.stages
    ]
    html(table(columns, rows, right=range(1, 5))).style("margin-top: 12px")


def _outcome(view: View, group: OpportunityGroup, currency: str) -> list[tuple[str, Cell]]:
    t = view.t
    lost = [f"{t.word('loss', reason)} {whole(n)}" for reason, n in group.lost_reasons.items()]
    return [
        (t("review.opened"), whole(group.opened)),
        (t("opportunities.win_rate"), percent(group.win_rate)),
        (t("opportunities.won_amount"), exact_money(group.won_amount, currency)),
        (t("review.days_to_win"), _quartiles(group.days_to_win)),
        (t("review.lost"), " · ".join(lost) or NOTHING),
    ]


def _quartiles(found: Quartiles | None) -> str:
    """The middle, and where the middle half lies."""
    return NOTHING if found is None else f"{found[1]:,.1f} ({found[0]:,.1f} ~ {found[2]:,.1f})"


# ── feedback ──────────────────────────────────────────────────────────────────────────────────────────────


def _feedback(view: View, review: CampaignReview) -> None:
    t = view.t
    html(_head(t("review.feedback"), t("review.feedback.note")))
    if not review.feedback:
        empty_state(t("review.feedback.none"), t("review.feedback.none.do"))
        return
    columns = [t(f"feedback.column.{name}") for name in ("kind", "judged", "given", "mean", "ratings")]
    rows: list[list[Cell]] = [
        [
            t.word("feedback_kind", each.kind),
            each.subject or NOTHING,
            whole(each.given),
            f"{each.mean:.1f}",
            " / ".join(whole(n) for n in each.ratings),
        ]
        for each in review.feedback
    ]
    html(table(columns, rows, right=(2, 3)))
