"""The strategy board as a document: all campaigns, those in the same unit on one scale."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from services.evaluation.queries.report import environment, quantity
from shared.charts.forest import Estimate
from shared.charts.palette import Palette, Tone
from shared.charts.strip import common_room, small_strip
from shared.contracts.evaluation import BoardCampaign, BoardEffect, StrategyBoard
from shared.contracts.metrics import Better, MetricCreate
from shared.formats import Language, Quantity
from shared.verdict_words import headline
from shared.verdicts import TONES, verdict_on_board


@dataclass(frozen=True)
class Row:
    campaign: BoardCampaign
    unit: Quantity
    headline: str
    tone: Tone
    strip: Markup | None
    interval: str


def board_html(
    board: StrategyBoard, metrics: Mapping[str, MetricCreate], language: Language, palette: Palette
) -> str:
    """`metrics`: definitions of the campaigns' primary metrics."""
    units = {each.campaign_id: _unit(each, metrics, language) for each in board.campaigns}
    rooms: dict[Quantity, list[Estimate]] = {}
    for each in board.campaigns:
        found = _estimate(each.effect)
        if found is not None:
            rooms.setdefault(units[each.campaign_id], []).append(found)
    rows = []
    for each in board.campaigns:
        unit = units[each.campaign_id]
        metric = metrics.get(each.primary_metric)
        verdict = verdict_on_board(each, metric.better if metric else Better.HIGHER)
        tone: Tone = TONES[verdict]
        found = _estimate(each.effect)
        interval = f"{unit.signed_total(found.low)} ~ {unit.signed_total(found.high)}" if found else ""
        strip = small_strip(found, common_room(rooms[unit]), tone, palette, interval) if found else None
        rows.append(Row(each, unit, headline(verdict, language), tone, strip, interval))
    template = environment(language).get_template("board.html.j2")
    return template.render(board=board, rows=rows, yuan=Quantity(language, "sum", "CNY"))


def _unit(campaign: BoardCampaign, metrics: Mapping[str, MetricCreate], language: Language) -> Quantity:
    metric = metrics.get(campaign.primary_metric)
    return quantity(metric, language) if metric else Quantity(language, "sum", campaign.currency)


def _estimate(effect: BoardEffect | None) -> Estimate | None:
    if effect is None or effect.incremental is None or effect.incremental_ci is None:
        return None
    low, high = effect.incremental_ci
    return Estimate(float(effect.incremental), float(low), float(high))
