"""The first line of a review: what may be said, how sure it is, and what to do where nothing may be said."""

from datetime import date, timedelta

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import Quantity, day, moment, p_value, percent, whole
from services.console.i18n import Texts
from services.console.pages.advice import Reload
from services.console.pages.evaluation_job import run_job
from services.console.pages.review_facts import ReviewFacts
from services.console.view import View
from services.console.widgets.html import html, tag
from shared.auth import Role
from shared.contracts.drawing import DrawnUnit
from shared.contracts.evaluation import CampaignBoard, CampaignResult, HealthCheck
from shared.contracts.evaluation.effects import Clustering
from shared.verdict_words import check_name, headline, meaning, what_to_do
from shared.verdicts import TONES, failed_checks, verdict_of


def draw_verdict(view: View, seen: ReviewFacts) -> None:
    """In the colour of what it says; withheld with the reasons, before a result with the checks so far."""
    result, language = seen.board.result, view.t.language
    verdict = verdict_of(result)
    with ui.element("section").classes(f"panel verdict {TONES[verdict]}") as section:
        section.props["aria-label"] = view.t("verdict.title")
        html(
            Markup('<div class="verdict-head"><b>{}</b>{}</div><p>{}</p>').format(
                headline(verdict, language), _tags(view, seen, result), meaning(verdict, language)
            )
        )
        if result is not None and result.primary is not None:
            html(_figures(view, seen, result))
            if result.money is not None:
                html(seen.pictures.money(result.money, seen.board.registration.target, width=760))
        checks = result.health.checks if result else (seen.health.checks if seen.health else [])
        for check in failed_checks(checks):
            html(_reason(view, check))
        html(Markup('<p class="muted small">{}</p>').format(_footing(view, seen.board, result)))


def _tags(view: View, seen: ReviewFacts, result: CampaignResult | None) -> Markup:
    """Health, and whether figures may still move."""
    t = view.t
    if result is None:
        return Markup()
    ok = result.health.verdict == "ok"
    parts = [tag(t("health.ok" if ok else "health.withheld"), "good" if ok else "warn")]
    if result.matured < 1:
        parts.append(tag(t("verdict.open", day=day(closes_by(seen.board))), "warn"))
    return Markup(" ").join(parts)


def closes_by(board: CampaignBoard) -> date:
    """By when the last outcome window has passed: nobody is assigned after the campaign's last day."""
    return board.registration.ends_on + timedelta(days=board.registration.window_days)


def _figures(view: View, seen: ReviewFacts, result: CampaignResult) -> Markup:
    t, unit, board = view.t, seen.unit, seen.board
    overall = result.primary.overall if result.primary else None
    cells: list[tuple[str, str, str]] = []
    if result.money is not None:
        ends = f"{unit.signed_total(result.money.ci[0])} ~ {unit.signed_total(result.money.ci[1])}"
        cells.append((t("money.incremental"), unit.signed_total(result.money.incremental), ends))
    if overall is not None:
        cells += [
            (t("column.effect"), unit.signed(overall.difference), unit.interval(overall.ci)),
            (
                t("column.n"),
                f"{whole(overall.n)} / {whole(overall.n_hold_out)}",
                f"p {p_value(overall.p_value)}",
            ),
        ]
    if overall is not None and overall.clustering is not None:
        cells.append(clusters(t, overall.clustering, board.registration.unit))
    if board.campaign.target_reached is not None:
        target = unit.total(board.registration.target)
        cells.append((t("verdict.target"), percent(board.campaign.target_reached, 0), target))
    if result.money is not None and result.money.contribution_ci is not None:
        yuan = Quantity(t.language, "sum", "CNY")
        low, high = result.money.contribution_ci
        ends = f"{yuan.signed_total(low)} ~ {yuan.signed_total(high)}"
        cells.append(
            (t("money.contribution"), yuan.signed_total(result.money.incremental_contribution), ends)
        )
    cell = Markup("<div><span>{}</span><strong>{}</strong><span>{}</span></div>")
    return Markup('<div class="verdict-figures">{}</div>').format(
        Markup().join(cell.format(*each) for each in cells)
    )


def clusters(t: Texts, found: Clustering, unit: DrawnUnit) -> tuple[str, str, str]:
    """How many were drawn, and what it costs that customers of one are alike."""
    alike = [("verdict.icc", found.icc), ("verdict.design_effect", found.design_effect)]
    return (
        t.word("drawn", unit),
        f"{whole(found.clusters)} / {whole(found.clusters_hold_out)}",
        " · ".join(t(key, n=f"{value:.2f}") for key, value in alike if value is not None),
    )


def _reason(view: View, check: HealthCheck) -> Markup:
    """Why, and what to do: as the service reads it, else as it is known here."""
    t, language = view.t, view.t.language
    found = t.local(check.finding) if check.finding else check.detail
    told = t.local(check.reading) if check.reading else what_to_do(check.check, language)
    return Markup('<div class="verdict-reason"><b>{}</b><p>{}</p><p>{}</p></div>').format(
        check_name(check.check, language), found, told
    )


def _footing(view: View, board: CampaignBoard, result: CampaignResult | None) -> str:
    t = view.t
    if result is None:
        return t("verdict.closes", day=day(closes_by(board)))
    parts = [
        t("verdict.until", time=moment(result.data_until)),
        t("effect.matured", share=percent(result.matured, 0)),
        t("verdict.registered", time=moment(board.registration.registered_at)),
        board.registration.content_hash[:12],
    ]
    return " · ".join(parts)


def evaluate_button(view: View, campaign_id: str, again: Reload) -> None:
    """Strategists may ask for a result at any time; what it may say, the registered rules decide."""
    if not view.user.has(Role.strategist):
        return

    async def evaluate() -> None:
        path = f"/v1/campaigns/{segment(campaign_id)}:evaluate"
        await run_job(view, path, "verdict.", button, again)

    button = ui.button(view.t("verdict.evaluate"), on_click=evaluate).props("outline no-caps")
