"""Effects of many groups, one row each: as measured, and shrunk towards what they have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from shared.charts.marks import area, dot, group, hidden_table, label, legend, picture, segment
from shared.charts.palette import Palette, tone_of
from shared.charts.scale import Scale, room, shortened, text_width, ticks

_TOP, _BOTTOM, _ROW, _LEAST = 40, 34, 34, 560
_NAMES, _MOST_NAMES, _SIZES, _GAP = 0.3, 0.42, 110, 18
"""Names and sizes take that share of the width, long names more; figures stand so far from the plot."""


class Estimate(NamedTuple):
    value: float
    low: float
    high: float


class ForestRow(NamedTuple):
    """`raw` is missing where nothing could be computed; `why` then says so. `size` is how n is written."""

    name: str
    size: str
    raw: Estimate | None
    shrunk: Estimate | None = None
    why: str = ""


@dataclass(frozen=True)
class ForestWords:
    title: str
    name: str
    size: str
    raw: str
    shrunk: str
    figure: str
    pooled: str = ""


@dataclass(frozen=True)
class ForestShape:
    x: Scale
    rows: list[float]
    """Middle of each row."""
    height: float


def forest_shape(
    rows: Sequence[ForestRow], width: float, pooled: float | None = None, figures: float = 200
) -> ForestShape:
    """`figures`: room for them to the right. The axis holds every value and the intervals that are the last
    word: shrunk ones where there are any.

    A raw interval of a few customers may be wider: it ends in an arrow instead of flattening all others.
    """
    shrunk = [end for row in rows if row.shrunk for end in row.shrunk]
    raw = [end for row in rows if row.raw and not row.shrunk for end in row.raw]
    middle = [row.raw.value for row in rows if row.raw]
    low, high = room([*shrunk, *raw, *middle, *([] if pooled is None else [pooled])])
    needed = max((text_width(row.name) for row in rows), default=0) + _SIZES + 1
    left, right = round(min(max(width * _NAMES, needed), width * _MOST_NAMES)), width - figures - _GAP
    places = [_TOP + _ROW * (number + 0.5) for number in range(len(rows))]
    return ForestShape(Scale(low, high, left, right), places, _TOP + _ROW * len(rows) + _BOTTOM)


def forest(
    rows: Sequence[ForestRow],
    words: ForestWords,
    write: Callable[[float], str],
    palette: Palette,
    *,
    higher_is_better: bool = True,
    pooled: float | None = None,
    width: float = 1180,
) -> Markup:
    said = [_figure(final, write) for row in rows if (final := row.shrunk or row.raw)]
    figures = max(text_width(text) for text in [words.figure, *said])
    shape = forest_shape(rows, width, pooled, figures)
    bottom = shape.height - _BOTTOM
    parts = [*_axis(shape, write, palette), segment((shape.x(0), _TOP), (shape.x(0), bottom), palette.text)]
    if pooled is not None:
        at = shape.x(pooled)
        parts.append(segment((at, _TOP), (at, bottom), palette.accent, dash="4 3"))
    for row, at in zip(rows, shape.rows, strict=True):
        parts.extend(_row(row, at, shape, width, write, palette, higher_is_better=higher_is_better))
    left, right = shape.x.start, shape.x.end
    parts += [
        label(left - 14, _TOP - 10, words.size, palette.muted, anchor="end"),
        label(right + _GAP, _TOP - 10, words.figure, palette.muted),
        _key(rows, words, pooled, palette),
    ]
    return picture(words.title, (width, shape.height), parts, _table(rows, words, write), least=_LEAST)


def _axis(shape: ForestShape, write: Callable[[float], str], palette: Palette) -> list[Markup]:
    bottom = shape.height - _BOTTOM
    parts = []
    for value in ticks(shape.x.low, shape.x.high, 5):
        at = shape.x(value)
        parts.append(segment((at, _TOP), (at, bottom), palette.line))
        parts.append(label(at, bottom + 18, write(value), palette.muted, anchor="middle"))
    return parts


def _row(
    row: ForestRow,
    at: float,
    shape: ForestShape,
    width: float,
    write: Callable[[float], str],
    palette: Palette,
    *,
    higher_is_better: bool,
) -> list[Markup]:
    left, right = shape.x.start, shape.x.end
    parts = [
        label(4, at + 4, shortened(row.name, left - _SIZES), palette.text),
        label(left - 14, at + 4, row.size, palette.muted, anchor="end"),
        segment((0, at + _ROW / 2), (width, at + _ROW / 2), palette.line, width=0.6),
    ]
    final = row.shrunk or row.raw
    if final is None or row.raw is None:
        parts.append(label((left + right) / 2, at + 4, row.why, palette.muted, anchor="middle"))
        return [group(parts, f"{row.name}: {row.why}")]
    both = row.shrunk is not None
    colour = palette.of(tone_of(final.low, final.high, higher_is_better=higher_is_better))
    parts += _interval(
        row.raw, at - (6 if both else 0), shape.x, palette.hold_out if both else colour, palette, hollow=both
    )
    if row.shrunk is not None:
        parts += _interval(row.shrunk, at + 6, shape.x, colour, palette, hollow=False)
    parts.append(label(right + _GAP, at + 4, _figure(final, write), palette.text))
    return [group(parts, f"{row.name} ({row.size}): {_figure(final, write)}")]


def _interval(
    found: Estimate, at: float, x: Scale, colour: str, palette: Palette, *, hollow: bool
) -> list[Markup]:
    low, high = x.within(found.low), x.within(found.high)
    parts = [segment((low, at), (high, at), colour, width=1.4 if hollow else 2.4)]
    parts.append(_end(low, at, colour, inside=found.low >= x.low, towards=-1))
    parts.append(_end(high, at, colour, inside=found.high <= x.high, towards=1))
    parts.append(
        dot(x.within(found.value), at, 3.6 if hollow else 4.6, palette.card if hollow else colour, colour)
    )
    return parts


def _end(x: float, y: float, colour: str, *, inside: bool, towards: int) -> Markup:
    """A cap; an arrow where the interval goes on beyond the axis."""
    if inside:
        return segment((x, y - 3.5), (x, y + 3.5), colour, width=1.4)
    return area([(x + 5 * towards, y), (x, y - 4), (x, y + 4)], colour, 1)


def _figure(found: Estimate, write: Callable[[float], str]) -> str:
    return f"{write(found.value)}  [{write(found.low)}, {write(found.high)}]"


def _key(rows: Sequence[ForestRow], words: ForestWords, pooled: float | None, palette: Palette) -> Markup:
    entries = []
    if any(row.shrunk for row in rows):
        hollow = segment((0, 0), (16, 0), palette.hold_out) + dot(8, 0, 3.6, palette.card, palette.hold_out)
        full = segment((0, 0), (16, 0), palette.muted, width=2.4) + dot(
            8, 0, 4.6, palette.muted, palette.muted
        )
        entries += [(hollow, words.raw), (full, words.shrunk)]
    if pooled is not None and words.pooled:
        entries.append((segment((8, -7), (8, 7), palette.accent, dash="4 3"), words.pooled))
    return legend(entries, 4, 12, palette)


def _table(rows: Sequence[ForestRow], words: ForestWords, write: Callable[[float], str]) -> Markup:
    cells = [
        (
            row.name,
            row.size,
            _figure(row.raw, write) if row.raw else row.why,
            _figure(row.shrunk, write) if row.shrunk else "–",
        )
        for row in rows
    ]
    return hidden_table(words.title, (words.name, words.size, words.raw, words.shrunk), cells)
