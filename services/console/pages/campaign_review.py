"""The review of one campaign: what it changed, for whom, at what cost, and what to do next."""

from collections.abc import Sequence

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import Quantity, day, exact_money, whole
from services.console.frame import heading
from services.console.pages.advice import Reload, draw_advice
from services.console.pages.report_button import report_button
from services.console.pages.review_breakdown import (
    draw_arms,
    draw_breakdown,
    draw_people,
    draw_scripts_by_channel,
)
from services.console.pages.review_burn import draw_burn
from services.console.pages.review_desks import draw_desks
from services.console.pages.review_facts import ReviewFacts, fetch_review
from services.console.pages.review_response import draw_response
from services.console.pages.review_verdict import draw_verdict, evaluate_button
from services.console.pages.words import metric_name, quantity, state_tag
from services.console.view import View, page
from services.console.widgets.figures import panel
from services.console.widgets.html import Cell, facts, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.contracts.evaluation import GuardrailEffect
from shared.contracts.evaluation.results import MoneyPart
from shared.verdicts import Verdict, verdict_of


@page("/campaigns/{campaign_id}/review", title="review.title", nav="campaigns")
async def review_page(view: View, campaign_id: str) -> None:
    async def again() -> None:
        await load()

    load = view.section(
        lambda: fetch_review(view, campaign_id), lambda seen: _draw(view, seen, again), height=560
    )


def _draw(view: View, seen: ReviewFacts, again: Reload) -> None:
    _head(view, seen, again)
    draw_verdict(view, seen)
    with ui.element("div").classes("grid cols-2"):
        with panel(view.t("funnel.title"), _audience(view, seen)):
            html(seen.pictures.funnel(seen.board.funnel))
            html(Markup('<p class="muted small">{}</p>').format(_retained(view, seen)))
        _money(view, seen)
    _course(view, seen)
    if seen.board.result is not None and seen.board.result.primary is not None:
        draw_breakdown(view, seen)
        with ui.element("div").classes("grid cols-2"):
            draw_scripts_by_channel(view, seen)
            draw_arms(view, seen)
        draw_people(view, seen)
        draw_response(view, seen)
    draw_burn(view, seen)
    _guardrails(view, seen)
    if seen.board.recommendation is not None:
        draw_advice(view, seen.board.recommendation, seen.unit, seen.names, again)
    draw_desks(view, seen.board, seen.unit, seen.names)


def _head(view: View, seen: ReviewFacts, again: Reload) -> None:
    t, campaign = view.t, seen.board.campaign
    crumb = Markup("{} / {}").format(
        link(t("campaigns.title"), "/campaigns"),
        link(t.local(campaign.name), f"/campaigns/{segment(seen.campaign_id)}"),
    )
    metric = metric_name(t, seen.metrics, campaign.primary_metric)
    dates = f"{day(campaign.starts_on)} – {day(campaign.ends_on)}"
    with heading(t("review.of", name=t.local(campaign.name)), f"{metric} · {dates}", crumb):
        html(state_tag(t, campaign.state))
        evaluate_button(view, seen.campaign_id, again)
        if seen.board.result is not None:
            report_button(view, f"/v1/reports/campaigns/{segment(seen.campaign_id)}", f"{campaign.key}.pdf")


def _audience(view: View, seen: ReviewFacts) -> str:
    return view.t("funnel.note", n=whole(seen.board.funnel.targeted))


def _retained(view: View, seen: ReviewFacts) -> str:
    """What the last stage means, or why there is none."""
    days = seen.board.funnel.retained_days
    return view.t("funnel.retained.unknown") if days is None else view.t("funnel.retained", days=days)


def _money(view: View, seen: ReviewFacts) -> None:
    t, result, unit = view.t, seen.board.result, seen.unit
    with panel(t("money.title")):
        if result is None or result.money is None:
            if verdict_of(result) is Verdict.NO_HOLD_OUT:
                empty_state(t("money.no_hold_out"), t("money.no_hold_out.do"))
            else:
                empty_state(t("money.empty"), t("money.empty.do"))
            return
        money = result.money
        ends = f"{unit.signed_total(money.ci[0])} ~ {unit.signed_total(money.ci[1])}"
        pairs: list[tuple[str, Cell]] = [
            (t("money.treated"), whole(money.treated)),
            (t("money.incremental"), f"{unit.signed_total(money.incremental)} ({ends})"),
        ]
        if money.incremental_contribution is not None:
            yuan = Quantity(t.language, "sum", "CNY")
            pairs.append((t("money.contribution"), yuan.signed_total(money.incremental_contribution)))
        pairs += [
            (t("money.cost"), exact_money(money.contact_cost, "CNY")),
            (t("money.minutes"), whole(money.minutes)),
            (t("money.contacts"), whole(money.contacts)),
        ]
        if money.roi is not None:
            pairs.append((t("money.roi"), f"{money.roi:+.2f}"))
        if money.net is not None:
            net = exact_money(money.net, "CNY")
            ends = " ~ ".join(exact_money(end, "CNY") for end in money.net_ci or ())
            pairs.append((t("money.net"), f"{net} ({ends})" if ends else net))
        if money.payback_days is not None:
            pairs.append((t("money.payback"), t("money.days", n=whole(money.payback_days))))
        html(facts(pairs))
        if money.parts:
            html(_parts(view, seen, money.parts)).style("margin-top: 12px")


def _parts(view: View, seen: ReviewFacts, parts: Sequence[MoneyPart]) -> Markup:
    """What the contribution is the sum of."""
    t = view.t
    rows: list[list[Cell]] = [
        [
            metric_name(t, seen.metrics, part.metric),
            t.word("money_part", part.part),
            exact_money(part.amount, "CNY"),
        ]
        for part in parts
    ]
    return table([t(f"column.{name}") for name in ("metric", "part", "amount")], rows, right=(2,))


def _course(view: View, seen: ReviewFacts) -> None:
    t = view.t
    with panel(t("series.title"), t("series.note")):
        if seen.series is None or not seen.pictures.drawable(seen.series):
            if seen.series is not None and seen.series.days and seen.series.verdict == "withheld":
                empty_state(t("series.withheld"), t("series.withheld.do"))
            else:
                empty_state(t("series.empty"), t("series.empty.do"))
            return
        html(seen.pictures.course(seen.series))


def _guardrails(view: View, seen: ReviewFacts) -> None:
    t, result = view.t, seen.board.result
    if result is None or not result.guardrails:
        return
    columns = [t(f"column.{name}") for name in ("metric", "means", "difference", "interval", "state")]
    with panel(t("guardrails.title"), t("guardrails.note")):
        html(table(columns, [_guardrail(view, seen, one) for one in result.guardrails], right=range(1, 4)))


def _guardrail(view: View, seen: ReviewFacts, found: GuardrailEffect) -> list[Cell]:
    t = view.t
    name, overall = metric_name(t, seen.metrics, found.metric), found.overall
    if overall is None:
        return [name, "", "", "", tag(t("guardrails.none"))]
    currency = seen.metrics[found.metric].currency if found.metric in seen.metrics else None
    unit = quantity(t, seen.metrics, found.metric, currency)
    return [
        name,
        f"{unit.value(overall.mean)} / {unit.value(overall.mean_hold_out)}",
        unit.signed(overall.difference),
        unit.interval(overall.ci),
        _harm(view, found, unit),
    ]


def _harm(view: View, found: GuardrailEffect, unit: Quantity) -> Cell:
    """With the margin by which it may give way, where one was registered."""
    t = view.t
    said = tag(t("guardrails.harmed"), "bad") if found.harmed else tag(t("guardrails.safe"), "good")
    if found.margin is None:
        return said
    return two_lines(said, t("guardrails.margin", margin=unit.value(found.margin)))
