"""The report of one campaign as a single HTML document, and the same on paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.evaluation.queries.report_words import report_word
from shared.charts.campaign import Pictures
from shared.charts.palette import Palette
from shared.contracts.base import LocalText
from shared.contracts.evaluation import (
    ArmEffect,
    BreakdownRow,
    CampaignBoard,
    CampaignResult,
    GuardrailEffect,
    Narrative,
)
from shared.contracts.evaluation.series import CampaignSeries
from shared.contracts.metrics import Better, MetricCreate
from shared.formats import Language, Quantity, day, exact_money, moment, p_value, percent, whole
from shared.verdict_words import check_name, headline, meaning, what_to_do
from shared.verdicts import TONES, failed_checks, verdict_of

_TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True)
class Report:
    """What one report tells. `metrics`: definitions as they were registered."""

    board: CampaignBoard
    result: CampaignResult
    metrics: Mapping[str, MetricCreate]
    series: CampaignSeries


def campaign_html(report: Report, language: Language, palette: Palette) -> str:
    """One document that needs nothing from elsewhere; every text in it is escaped."""
    board, result = report.board, report.result
    registration = board.registration
    unit = quantity(report.metrics.get(registration.primary_metric), language)
    better = result.primary.better if result.primary else Better.HIGHER
    pictures = Pictures(unit, palette, lambda _, value: value, better is Better.HIGHER)
    verdict = verdict_of(result)
    return (
        environment(language)
        .get_template("campaign.html.j2")
        .render(
            board=board,
            campaign=board.campaign,
            registration=registration,
            result=result,
            series=report.series,
            overall=result.primary.overall if result.primary else None,
            effects=_effects(result),
            name=_local(language, board.campaign.name),
            unit=unit,
            pictures=pictures,
            tone=TONES[verdict],
            headline=headline(verdict, language),
            meaning=meaning(verdict, language),
            failed=failed_checks(result.health.checks),
            closes=_closes(board),
            dimensions=_dimensions(result.breakdown, language),
            guardrails=_guardrails(report, language),
        )
    )


@cache
def environment(language: Language) -> Environment:
    """Templates with the words and figures of one language; `local` picks from a bilingual text."""
    found = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {
        "language": language,
        "css": Markup((_TEMPLATES / "report.css").read_text("utf-8")),  # noqa: S704 - our own file
        "w": partial(report_word, language=language),
        "check_name": partial(check_name, language=language),
        "what_to_do": partial(what_to_do, language=language),
        "local": partial(_local, language),
        "day": day,
        "moment": moment,
        "percent": percent,
        "whole": whole,
        "p_value": p_value,
        "exact_money": exact_money,
    }
    return found


def quantity(metric: MetricCreate | None, language: Language) -> Quantity:
    return Quantity(language, metric.kind.value, metric.currency) if metric else Quantity(language)


def _local(language: Language, text: LocalText | Narrative) -> str:
    return text.zh if language == "zh" else text.en


def _effects(result: CampaignResult) -> list[ArmEffect]:
    if result.primary is None:
        return []
    overall = result.primary.overall
    return [*([overall] if overall and len(result.primary.arms) > 1 else []), *result.primary.arms]


def _closes(board: CampaignBoard) -> date:
    """By when the last outcome window has passed: nobody is assigned after a campaign's last day."""
    return board.registration.ends_on + timedelta(days=board.registration.window_days)


def _dimensions(rows: Sequence[BreakdownRow], language: Language) -> list[tuple[str, list[BreakdownRow]]]:
    grouped = groupby(sorted(rows, key=lambda row: row.dimension), key=lambda row: row.dimension)
    return [
        (" × ".join(report_word(name, language) for name in dimension.split(",")), list(those))
        for dimension, those in grouped
    ]


def _guardrails(report: Report, language: Language) -> list[tuple[GuardrailEffect, str, Quantity]]:
    found = []
    for guardrail in report.result.guardrails:
        metric = report.metrics.get(guardrail.metric)
        named = _local(language, metric.name) if metric else guardrail.metric
        found.append((guardrail, named, quantity(metric, language)))
    return found
