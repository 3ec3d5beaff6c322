"""The report of one campaign as a single HTML document, and the same on paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, partial
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.evaluation.queries.documents import NOBODY_SAID
from services.evaluation.queries.names import Names
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
    HealthCheck,
    Narrative,
)
from shared.contracts.evaluation.scripts import ScriptComparison, ScriptEffect
from shared.contracts.evaluation.series import CampaignSeries
from shared.contracts.metrics import Better, MetricCreate
from shared.formats import Language, Quantity, day, exact_money, listed, moment, p_value, percent, whole
from shared.verdict_words import check_name, headline, meaning, what_to_do, why_none
from shared.verdicts import TONES, failed_checks, verdict_of

_TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True)
class Report:
    """What one report tells. `metrics`: definitions as they were registered; `names`: as they are now."""

    board: CampaignBoard
    result: CampaignResult
    metrics: Mapping[str, MetricCreate]
    series: CampaignSeries
    names: Names = field(default_factory=Names)


def campaign_html(report: Report, language: Language, palette: Palette) -> str:
    """One document that needs nothing from elsewhere; every text in it is escaped."""
    board, result = report.board, report.result
    registration = board.registration
    unit = quantity(report.metrics.get(registration.primary_metric), language)
    better = result.primary.better if result.primary else Better.HIGHER
    called = partial(_called, report.names, language)
    pictures = Pictures(unit, palette, called, better is Better.HIGHER)
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
            called=called,
            each_called=lambda dimension, codes: listed(
                (called(dimension, code) for code in codes), language
            ),
            tone=TONES[verdict],
            headline=headline(verdict, language),
            meaning=meaning(verdict, language),
            failed=failed_checks(result.health.checks),
            closes=_closes(board),
            dimensions=_dimensions(result.breakdown, language),
            guardrails=_guardrails(report, language),
            missing=_missing(result, language),
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
        "finding": partial(_finding, language),
        "why_none": partial(_why_none, language),
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


def _called(names: Names, language: Language, dimension: str, value: str) -> str:
    """What a value of a dimension is called; the code itself of what has no name."""
    if value == NOBODY_SAID:
        nobody = report_word("nobody", language)
        return nobody.format(dimension=report_word(dimension, language))
    owners = {"branch": names.branch, "manager": names.manager, "segment": names.segment}
    if dimension in owners:
        return owners[dimension](value, language)
    return report_word(f"channel.{value}", language) if dimension == "channel" else value


def _finding(language: Language, check: HealthCheck) -> str:
    """Results of earlier versions have it in English only."""
    return _local(language, check.finding) if check.finding else check.detail


def _why_none(language: Language, found: BreakdownRow | ScriptEffect | ScriptComparison) -> str:
    return why_none(found.error_code, found.error or report_word("not_computed", language), language)


def _missing(result: CampaignResult, language: Language) -> list[tuple[str, str]]:
    """What has no number: what it concerns, and why."""
    checks = {f"health/{check.check}": check for check in result.health.checks}
    found = []
    for error in result.errors:
        check = checks.get(error.at)
        if check is not None:
            found.append((check_name(check.check, language), _finding(language, check)))
        else:
            kind, _, name = error.at.partition("/")
            where = f"{report_word(kind, language)} · {report_word(name, language)}"
            found.append((where, why_none(error.code, error.detail, language)))
    return found


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
