"""What contacting the most promising first is worth, beside contacting as many by lot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from shared.charts.marks import area, curve, dot, hidden_table, label, legend, picture, rectangle, segment
from shared.charts.palette import Palette
from shared.charts.scale import Scale, room, ticks

_LEFT, _RIGHT, _TOP, _BOTTOM, _LEAST = 84, 22, 54, 48, 420


class Reached(NamedTuple):
    """Effect per customer of everybody when the share with the highest scores is contacted. Without ends
    nothing is known of how sure it is.
    """

    share: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class UpliftWords:
    title: str
    across: str
    upward: str
    line: str
    band: str
    lot: str


@dataclass(frozen=True)
class UpliftShape:
    """`band` is a closed polygon, empty where no point has ends; `lot` runs straight to the last point."""

    x: Scale
    y: Scale
    line: list[tuple[float, float]]
    band: list[tuple[float, float]]
    lot: list[tuple[float, float]]


def uplift_shape(points: Sequence[Reached], width: float, height: float) -> UpliftShape:
    """`points` from nobody to everybody."""
    ends = [end for point in points for end in (point.low, point.high) if end is not None]
    low, high = room([*(point.value for point in points), *ends])
    x, y = Scale(0, 1, _LEFT, width - _RIGHT), Scale(low, high, height - _BOTTOM, _TOP)
    sure = [point for point in points if point.low is not None and point.high is not None]
    upper = [(x(point.share), y(point.high or 0.0)) for point in sure]
    lower = [(x(point.share), y(point.low or 0.0)) for point in reversed(sure)]
    line = [(x(point.share), y(point.value)) for point in points]
    return UpliftShape(x, y, line, upper + lower, [(x(0), y(0)), *line[-1:]])


def uplift(
    points: Sequence[Reached],
    words: UpliftWords,
    write: Callable[[float], str],
    share: Callable[[float], str],
    palette: Palette,
    *,
    width: float = 580,
    height: float = 320,
) -> Markup:
    """`write`: how an effect is written; `share`: how a share is."""
    shape = uplift_shape(points, width, height)
    parts = [
        *_grid(shape, write, share, palette, (width, height)),
        *([area(shape.band, palette.accent, 0.16)] if shape.band else []),
        segment((_LEFT, shape.y(0)), (width - _RIGHT, shape.y(0)), palette.text),
        curve(shape.lot, palette.hold_out, width=1.8, dash="5 4"),
        curve(shape.line, palette.accent, width=2.4),
        *(dot(*place, 4, palette.accent, palette.card) for place in shape.line[-1:]),
        _key(words, palette, shape),
        label(width - _RIGHT, height - 6, words.across, palette.muted, anchor="end"),
        label(4, _TOP - 12, words.upward, palette.muted),
    ]
    rows = [
        (share(point.share), write(point.value), _ends(point, write), write(point.share * points[-1].value))
        for point in points
    ]
    table = hidden_table(words.title, (words.across, words.line, words.band, words.lot), rows)
    return picture(words.title, (width, height), parts, table, least=_LEAST)


def _ends(point: Reached, write: Callable[[float], str]) -> str:
    if point.low is None or point.high is None:
        return "–"
    return f"{write(point.low)} ~ {write(point.high)}"


def _grid(
    shape: UpliftShape,
    write: Callable[[float], str],
    share: Callable[[float], str],
    palette: Palette,
    size: tuple[float, float],
) -> list[Markup]:
    width, height = size
    parts = []
    for value in ticks(shape.y.low, shape.y.high, 5):
        at = shape.y(value)
        parts.append(segment((_LEFT, at), (width - _RIGHT, at), palette.line))
        parts.append(label(_LEFT - 8, at + 4, write(value), palette.muted, anchor="end"))
    parts += [
        label(shape.x(value), height - _BOTTOM + 18, share(value), palette.muted, anchor="middle")
        for value in ticks(0, 1, 5)
    ]
    return parts


def _key(words: UpliftWords, palette: Palette, shape: UpliftShape) -> Markup:
    entries = [(segment((0, 0), (16, 0), palette.accent, width=2.4), words.line)]
    if shape.band:
        entries.append((rectangle((0, -6), (16, 12), palette.accent, opacity=0.16), words.band))
    entries.append((segment((0, 0), (16, 0), palette.hold_out, width=1.8, dash="5 4"), words.lot))
    return legend(entries, 4, 14, palette)
