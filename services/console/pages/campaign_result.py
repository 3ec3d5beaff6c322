"""What a campaign has changed: effect with interval, course, funnel beside the hold-out, advice."""

from decimal import Decimal

from markupsafe import Markup
from nicegui import ui

from services.console import theme
from services.console.formats import Quantity, exact_money, moment, p_value, percent, whole
from services.console.pages.advice import Reload, draw_advice
from services.console.pages.campaign_review import draw_review
from services.console.pages.words import Metrics, Names, metric_name, quantity
from services.console.view import View
from services.console.widgets import charts
from services.console.widgets.html import Cell, facts, html, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.contracts.evaluation import (
    BreakdownRow,
    CampaignBoard,
    CampaignResult,
    FunnelGroup,
    PrimaryEffect,
)

_STAGES = ("assigned", "contacted", "reached", "responded", "converted")
_BREAKDOWN_ROWS = 30


def draw_result(view: View, board: CampaignBoard, known: Metrics, names: Names, again: Reload) -> None:
    campaign = board.campaign
    unit = quantity(view.t, known, campaign.primary_metric, campaign.currency)
    if board.recommendation is not None:
        draw_advice(view, board.recommendation, unit, names, again)
    with ui.element("div").classes("grid cols-2"):
        _effect(view, board, known, unit)
        _series(view, board, unit)
    with ui.element("div").classes("grid cols-2"):
        _funnel(view, board)
        _money(view, board.result, unit)
    if board.result is not None and board.result.breakdown:
        with ui.element("section").classes("panel"):
            html(
                Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>{}').format(
                    view.t("breakdown.title"),
                    view.t("breakdown.note"),
                    _breakdown(view, board.result.breakdown, unit, names),
                )
            )
    draw_review(view, board, unit, names)


# ── effect ────────────────────────────────────────────────────────────────────────────────────────────────


def _effect(view: View, board: CampaignBoard, known: Metrics, unit: Quantity) -> None:
    t, result = view.t, board.result
    with ui.element("section").classes("panel"):
        title = t("effect.title", metric=metric_name(t, known, board.campaign.primary_metric))
        html(Markup('<div class="panel-head"><h2>{}</h2>{}</div>').format(title, _verdict(view, result)))
        if result is None:
            empty_state(t("effect.none"), t("effect.none.do"))
            return
        if result.primary is None:
            reasons = "; ".join(check.detail for check in result.health.checks if not check.ok)
            empty_state(t("effect.withheld"), reasons)
            return
        _effect_chart(view, result.primary, unit)
        html(_arms(view, result.primary, unit))
        html(
            Markup('<p class="muted small">{}</p>').format(
                t(
                    "effect.method",
                    method=t.word("method", result.primary.arms[0].method if result.primary.arms else ""),
                    until=moment(result.data_until),
                    matured=percent(result.matured, 0),
                )
            )
        ).style("margin-top: 8px")


def _verdict(view: View, result: CampaignResult | None) -> Markup:
    if result is None:
        return Markup()
    ok = result.health.verdict == "ok"
    return tag(view.t("health.ok" if ok else "health.withheld"), "good" if ok else "warn")


def _effects(primary: PrimaryEffect) -> list[tuple[str, charts.Effect]]:
    arms = [*([primary.overall] if primary.overall else []), *primary.arms]
    if len(primary.arms) == 1:
        arms = primary.arms
    higher = primary.better.value == "higher"
    return [
        (arm.arm, charts.Effect(arm.arm, float(arm.difference), float(arm.ci[0]), float(arm.ci[1]), higher))
        for arm in arms
    ]


def _effect_chart(view: View, primary: PrimaryEffect, unit: Quantity) -> None:
    rows = [
        charts.Effect(view.t.word("arm", name), effect.value, effect.low, effect.high, effect.better)
        for name, effect in _effects(primary)
    ]
    charts.chart(charts.intervals(rows, unit), height=44 * len(rows) + 54, label=view.t("effect.chart"))


def _arms(view: View, primary: PrimaryEffect, unit: Quantity) -> Markup:
    t = view.t
    arms = [*([primary.overall] if primary.overall and len(primary.arms) > 1 else []), *primary.arms]
    columns = [t(f"column.{name}") for name in ("arm", "n", "means", "difference", "p")]
    rows: list[list[Cell]] = [
        [
            t.word("arm", arm.arm),
            f"{whole(arm.n)} / {whole(arm.n_hold_out)}",
            f"{unit.value(arm.mean)} / {unit.value(arm.mean_hold_out)}",
            two_lines(Markup("<b>{}</b>").format(unit.signed(arm.difference)), unit.interval(arm.ci)),
            p_value(arm.p_value),
        ]
        for arm in arms
    ]
    return table(columns, rows, right=range(1, 5))


# ── course and funnel ─────────────────────────────────────────────────────────────────────────────────────


def _series(view: View, board: CampaignBoard, unit: Quantity) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("series.title"), t("series.note")
            )
        )
        if not board.series:
            empty_state(t("series.empty"), t("series.empty.do"))
            return
        options = charts.lines(
            [point.day for point in board.series],
            {
                t("group.treated"): [float(point.treated) for point in board.series],
                t("group.hold_out"): [float(point.hold_out) for point in board.series],
            },
            unit,
            t("series.axis"),
        )
        charts.chart(options, height=320, label=t("series.title"))


def _funnel(view: View, board: CampaignBoard) -> None:
    t = view.t
    groups = {
        t("group.treated"): _shares(board.funnel.treated),
        t("group.hold_out"): _shares(board.funnel.hold_out),
    }
    options = charts.paired_shares(
        [t(f"funnel.{stage}") for stage in _STAGES], groups, (theme.ACCENT, theme.HOLD_OUT)
    )
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("funnel.title"), t("funnel.note", n=whole(board.funnel.targeted))
            )
        )
        charts.chart(options, height=290, label=t("funnel.title"))


def _shares(group: FunnelGroup) -> list[tuple[float, int]]:
    """Of a group, and how many: the base is everybody who was aimed at."""
    counts = [int(getattr(group, stage)) for stage in _STAGES]
    return [(count / counts[0] if counts[0] else 0.0, count) for count in counts]


# ── money, breakdown ──────────────────────────────────────────────────────────────────────────────────────


def _money(view: View, result: CampaignResult | None, unit: Quantity) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("money.title")))
        if result is None or result.money is None:
            empty_state(t("money.empty"), t("money.empty.do"))
            return
        money = result.money
        pairs: list[tuple[str, Cell]] = [
            (t("money.treated"), whole(money.treated)),
            (t("money.incremental"), f"{unit.signed_total(money.incremental)} ({_ends(unit, money.ci)})"),
        ]
        if money.incremental_contribution is not None:
            yuan = Quantity(t.language, "sum", "CNY")
            interval = f" ({_ends(yuan, money.contribution_ci)})" if money.contribution_ci else ""
            pairs.append(
                (t("money.contribution"), yuan.signed_total(money.incremental_contribution) + interval)
            )
        pairs += [
            (t("money.cost"), exact_money(money.contact_cost, "CNY")),
            (t("money.minutes"), whole(money.minutes)),
            (t("money.contacts"), whole(money.contacts)),
        ]
        if money.roi is not None:
            pairs.append((t("money.roi"), f"{money.roi:+.2f}"))
        html(facts(pairs))
        for guardrail in result.guardrails:
            if guardrail.harmed:
                html(tag(t("money.harmed", metric=guardrail.metric), "bad"))


def _ends(unit: Quantity, ends: tuple[Decimal, Decimal]) -> str:
    return f"{unit.signed_total(ends[0])} ~ {unit.signed_total(ends[1])}"


def _breakdown(view: View, rows: list[BreakdownRow], unit: Quantity, names: Names) -> Markup:
    t = view.t
    columns = ("dimension", "value", "n", "mean", "hold_out_mean", "difference", "interval", "q")
    return table(
        [t(f"column.{name}") for name in columns],
        [_cell_row(view, row, unit, names) for row in rows[:_BREAKDOWN_ROWS]],
        right=range(2, 8),
    )


def _cell_row(view: View, row: BreakdownRow, unit: Quantity, names: Names) -> list[Cell]:
    t = view.t
    start: list[Cell] = [
        t.word("dimension", row.dimension),
        " · ".join(names.value(by, value) for by, value in row.values.items()),
        f"{whole(row.n)} / {whole(row.n_hold_out)}",
    ]
    if row.difference is None:
        return [
            *start,
            "",
            "",
            Markup('<span class="muted" title="{}">{}</span>').format(row.error or "", t("breakdown.none")),
            "",
            "",
        ]
    tone = "" if row.ci is None or row.ci[0] <= 0 <= row.ci[1] else ("good" if row.difference > 0 else "bad")
    return [
        *start,
        unit.value(row.mean),
        unit.value(row.mean_hold_out),
        Markup('<b class="{}">{}</b>').format(tone, unit.signed(row.difference)),
        unit.interval(row.ci),
        p_value(row.q_value),
    ]
