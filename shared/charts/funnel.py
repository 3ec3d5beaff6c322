"""How far customers came, treated beside those left alone, as shares of their own group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from shared.charts.marks import group, hidden_table, label, legend, picture, rectangle
from shared.charts.palette import Palette
from shared.charts.scale import Scale

_LEFT, _RIGHT, _TOP, _ROW, _BAR, _LEAST = 70, 118, 38, 46, 15, 420


class FunnelStage(NamedTuple):
    """Customers who got there; `hold_out` None for a stage the hold-out cannot reach."""

    name: str
    treated: int
    hold_out: int | None


@dataclass(frozen=True)
class FunnelWords:
    title: str
    stage: str
    treated: str
    hold_out: str


def shares(stages: Sequence[FunnelStage]) -> list[tuple[float, float | None]]:
    """Of the first stage of the own group; 0 when nobody was in it."""

    def of(count: int | None, base: int | None) -> float | None:
        return None if count is None else (count / base if base else 0.0)

    if not stages:
        return []
    first = stages[0]
    return [(of(stage.treated, first.treated) or 0.0, of(stage.hold_out, first.hold_out)) for stage in stages]


def funnel(
    stages: Sequence[FunnelStage], words: FunnelWords, palette: Palette, *, width: float = 580
) -> Markup:
    x = Scale(0, 1, _LEFT, width - _RIGHT)
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
            label(_LEFT - 12, top + _BAR + 5, stage.name, palette.text, anchor="end"),
            *_bar(x, top, treated, stage.treated, palette.accent, palette),
        ]
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
    rows = [
        (
            stage.name,
            f"{stage.treated:,} ({treated * 100:.1f}%)",
            "–" if hold_out is None else f"{stage.hold_out:,} ({hold_out * 100:.1f}%)",
        )
        for stage, (treated, hold_out) in zip(stages, shares(stages), strict=True)
    ]
    return hidden_table(words.title, (words.stage, words.treated, words.hold_out), rows)
