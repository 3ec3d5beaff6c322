"""How far customers came, treated beside those left alone, as shares of their own group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from shared.charts.marks import group, hidden_table, label, legend, picture, rectangle
from shared.charts.palette import Palette
from shared.charts.scale import Scale, text_width

_LEFT, _RIGHT, _TOP, _ROW, _BAR, _LEAST, _GAP = 70, 118, 38, 46, 15, 420, 12
_WIDE = 1.25
"""Room for letters of fonts that are wider than most."""


class FunnelStage(NamedTuple):
    """Customers who got there; None where it is not known."""

    name: str
    treated: int | None
    hold_out: int | None


@dataclass(frozen=True)
class FunnelWords:
    title: str
    stage: str
    treated: str
    hold_out: str
    unknown: str


def shares(stages: Sequence[FunnelStage]) -> list[tuple[float | None, float | None]]:
    """Of the first stage of the own group; 0 when nobody was in it, None where it is not known."""

    def of(count: int | None, base: int | None) -> float | None:
        return None if count is None else (count / base if base else 0.0)

    if not stages:
        return []
    first = stages[0]
    return [(of(stage.treated, first.treated), of(stage.hold_out, first.hold_out)) for stage in stages]


def funnel(
    stages: Sequence[FunnelStage], words: FunnelWords, palette: Palette, *, width: float = 580
) -> Markup:
    left = max([_LEFT, *(_WIDE * text_width(stage.name) + _GAP for stage in stages)])
    x = Scale(0, 1, left, width - _RIGHT)
    parts = [
        legend(
            [
                (rectangle((0, -6), (16, 11), palette.accent, radius=2), words.treated),
                (rectangle((0, -6), (16, 11), palette.hold_out, radius=2), words.hold_out),
            ],
            4,
            14,
            palette,
        )
    ]
    for at, (stage, (treated, hold_out)) in enumerate(zip(stages, shares(stages), strict=True)):
        top = _TOP + _ROW * at
        drawn = [
            label(left - _GAP, top + _BAR + 5, stage.name, palette.text, anchor="end"),
        ]
        if treated is None and hold_out is None:
            drawn.append(label(left, top + _BAR + 5, words.unknown, palette.muted, size=11.5))
        if treated is not None and stage.treated is not None:
            drawn += _bar(x, top, treated, stage.treated, palette.accent, palette)
        if hold_out is not None and stage.hold_out is not None:
            drawn += _bar(x, top + _BAR + 2, hold_out, stage.hold_out, palette.hold_out, palette)
        parts.append(group(drawn, stage.name))
    height = _TOP + _ROW * len(stages)
    return picture(words.title, (width, height), parts, _table(stages, words), least=_LEAST)


def _bar(x: Scale, top: float, share: float, count: int, colour: str, palette: Palette) -> list[Markup]:
    end = x(share)
    return [
        rectangle((x.start, top), (x.end - x.start, _BAR), palette.line, opacity=0.45, radius=2),
        rectangle((x.start, top), (max(end - x.start, 1.0), _BAR), colour, radius=2),
        label(x.end + 8, top + 12, f"{count:,}", palette.text, size=11.5),
        label(x.end + _RIGHT - 4, top + 12, f"{share * 100:.1f}%", palette.muted, size=11.5, anchor="end"),
    ]


def _table(stages: Sequence[FunnelStage], words: FunnelWords) -> Markup:
    def said(count: int | None, share: float | None) -> str:
        return "–" if count is None or share is None else f"{count:,} ({share * 100:.1f}%)"

    rows = [
        (stage.name, said(stage.treated, treated), said(stage.hold_out, hold_out))
        for stage, (treated, hold_out) in zip(stages, shares(stages), strict=True)
    ]
    return hidden_table(words.title, (words.stage, words.treated, words.hold_out), rows)
