"""Many subjects beside what is typical: one row each with its interval, in groups that can be told apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from shared.charts.forest import Estimate
from shared.charts.marks import dot, group, hidden_table, label, picture, segment
from shared.charts.palette import Palette, tone_of
from shared.charts.scale import Scale, room, shortened, text_width, ticks

_TOP, _BOTTOM, _ROW, _LEAST, _SIZES = 30, 34, 26, 560, 96


class CaterpillarRow(NamedTuple):
    """`found` is missing where nothing can be compared; `why` then says so. `place` is how the rank, its
    interval or the lack of one is written; rows of one `part` cannot be told apart. `address`: where the
    name leads.
    """

    name: str
    size: str
    found: Estimate | None
    place: str = ""
    why: str = ""
    part: int = 1
    address: str = ""


@dataclass(frozen=True)
class CaterpillarWords:
    title: str
    name: str
    size: str
    figure: str
    place: str


@dataclass(frozen=True)
class CaterpillarShape:
    """`cuts`: heights at which one group that can be told apart ends and the next begins."""

    x: Scale
    rows: list[float]
    cuts: list[float]
    height: float


def caterpillar_shape(
    rows: Sequence[CaterpillarRow], width: float, ends: Sequence[float] = ()
) -> CaterpillarShape:
    """The axis holds all intervals, and `ends` of those in other pictures on the same scale."""
    low, high = room([*ends, *(end for row in rows if row.found for end in row.found)])
    left, right = _columns(rows, width)
    places = [_TOP + _ROW * (number + 0.5) for number in range(len(rows))]
    cuts = [
        float(_TOP + _ROW * (number + 1))
        for number, (row, below) in enumerate(pairwise(rows))
        if row.found and below.found and row.part != below.part
    ]
    return CaterpillarShape(Scale(low, high, left, right), places, cuts, _TOP + _ROW * len(rows) + _BOTTOM)


def caterpillar(
    rows: Sequence[CaterpillarRow],
    words: CaterpillarWords,
    write: Callable[[float], str],
    palette: Palette,
    *,
    higher_is_better: bool = True,
    ends: Sequence[float] = (),
    width: float = 1180,
) -> Markup:
    """In the order of `rows`; the upright line is zero, what is typical."""
    shape = caterpillar_shape(rows, width, ends)
    bottom, (left, right) = shape.height - _BOTTOM, (shape.x.start, shape.x.end)
    parts = [
        label(left - 14, _TOP - 10, words.size, palette.muted, anchor="end"),
        label(right + 16, _TOP - 10, words.place, palette.muted),
    ]
    for value in ticks(shape.x.low, shape.x.high, 5):
        at = shape.x(value)
        parts.append(segment((at, _TOP), (at, bottom), palette.line))
        parts.append(label(at, bottom + 18, write(value), palette.muted, anchor="middle"))
    parts.append(segment((shape.x(0), _TOP), (shape.x(0), bottom), palette.text))
    parts += [segment((0, at), (width, at), palette.accent, width=1.4, dash="5 4") for at in shape.cuts]
    for row, at in zip(rows, shape.rows, strict=True):
        parts.append(_row(row, at, shape.x, width, write, palette, higher_is_better=higher_is_better))
    return picture(words.title, (width, shape.height), parts, _table(rows, words, write), least=_LEAST)


def _columns(rows: Sequence[CaterpillarRow], width: float) -> tuple[float, float]:
    """Where the plot begins and ends: names, which may be long, and sizes left of it, ranks right of it."""
    needed = max((text_width(row.name) for row in rows), default=0) + _SIZES + 1
    return round(min(max(width * 0.28, needed), width * 0.42)), round(width * 0.78)


def _row(
    row: CaterpillarRow,
    at: float,
    x: Scale,
    width: float,
    write: Callable[[float], str],
    palette: Palette,
    *,
    higher_is_better: bool,
) -> Markup:
    left, right = x.start, x.end
    parts = [
        _name(row, at, left - _SIZES, palette),
        label(left - 14, at + 4, row.size, palette.muted, anchor="end"),
    ]
    if row.found is None:
        parts.append(label((left + right) / 2, at + 4, row.why, palette.muted, anchor="middle"))
        return group(parts, f"{row.name} ({row.size}): {row.why}")
    found = row.found
    colour = palette.of(tone_of(found.low, found.high, higher_is_better=higher_is_better))
    parts += [
        segment((x(found.low), at), (x(found.high), at), colour, width=2.2),
        dot(x(found.value), at, 4.2, colour, colour),
        label(right + 16, at + 4, shortened(row.place, width - right - 20), palette.text),
    ]
    return group(parts, f"{row.name} ({row.size}): {_figure(found, write)}; {row.place}")


def _name(row: CaterpillarRow, at: float, space: float, palette: Palette) -> Markup:
    text = shortened(row.name, space)
    if not row.address:
        return label(4, at + 4, text, palette.text)
    return Markup('<a href="{}">{}</a>').format(row.address, label(4, at + 4, text, palette.accent))


def _figure(found: Estimate, write: Callable[[float], str]) -> str:
    return f"{write(found.value)}  [{write(found.low)}, {write(found.high)}]"


def _table(rows: Sequence[CaterpillarRow], words: CaterpillarWords, write: Callable[[float], str]) -> Markup:
    cells = [
        (row.name, row.size, _figure(row.found, write) if row.found else row.why, row.place or "–")
        for row in rows
    ]
    return hidden_table(words.title, (words.name, words.size, words.figure, words.place), cells)
