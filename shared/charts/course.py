"""A difference over time with the band it may be read by at any time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from shared.charts.marks import (
    area,
    curve,
    dot,
    hatch,
    hidden_table,
    label,
    legend,
    picture,
    rectangle,
    segment,
)
from shared.charts.palette import Palette
from shared.charts.scale import Scale, room, shortened, text_width, ticks

_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 20, 54, 44
_LEAST = 460
_APART = 12
"""Marks closer than this are one."""


class Day(NamedTuple):
    """One place of the line. Without a band there were too few outcomes; an immature day may still change."""

    at: int
    value: float
    low: float | None = None
    high: float | None = None
    mature: bool = True


class Event(NamedTuple):
    """Something that happened on the way: launch, a change, a pause."""

    at: float
    name: str


@dataclass(frozen=True)
class CourseWords:
    title: str
    across: str
    upward: str
    line: str
    band: str
    immature: str


@dataclass(frozen=True)
class CourseShape:
    """Where everything stands, in the picture's own units."""

    x: Scale
    y: Scale
    line: list[tuple[float, float]]
    bands: list[list[tuple[float, float]]]
    immature: list[tuple[float, float]]


def course_shape(
    days: Sequence[Day], width: float, height: float, events: Sequence[Event] = ()
) -> CourseShape:
    """From the first day, or from an event of the day before it: a launch is day 0.

    Bands are closed polygons, one for each run of days that have one; immature days are spans of x.
    """
    ends = [end for day in days for end in (day.low, day.high) if end is not None]
    low, high = room([*(day.value for day in days), *ends])
    first, last = (days[0].at, days[-1].at) if days else (0, 1)
    begins = min([first, *(event.at for event in events if first - 1 <= event.at)])
    x = Scale(begins, last, _LEFT, width - _RIGHT)
    y = Scale(low, high, height - _BOTTOM, _TOP)
    bands: list[list[tuple[float, float]]] = []
    for run in _runs(days, lambda day: day.low is not None and day.high is not None):
        upper = [(x(day.at), y(day.high or 0.0)) for day in run]
        lower = [(x(day.at), y(day.low or 0.0)) for day in reversed(run)]
        bands.append(upper + lower)
    half = (x(first + 1) - x(first)) / 2 if last > first else 0.0
    immature = [
        (max(x(run[0].at) - half, x.start), min(x(run[-1].at) + half, x.end))
        for run in _runs(days, lambda day: not day.mature)
    ]
    return CourseShape(x, y, [(x(day.at), y(day.value)) for day in days], bands, immature)


def course(
    days: Sequence[Day],
    events: Sequence[Event],
    words: CourseWords,
    write: Callable[[float], str],
    palette: Palette,
    *,
    name: Callable[[int], str] = str,
    width: float = 1180,
    height: float = 330,
) -> Markup:
    """`write`: how a difference is written; `name`: how a place on the time axis is called."""
    shape = course_shape(days, width, height, events)
    parts = [
        *_immature(shape, palette),
        *_grid(shape, write, palette, width),
        *_days(days, shape, name, palette, height),
        *(area(band, palette.accent, 0.16) for band in shape.bands),
        segment((_LEFT, shape.y(0)), (width - _RIGHT, shape.y(0)), palette.text),
        *_events(events, shape, palette, height),
        curve(shape.line, palette.accent, width=2.4),
        *([dot(*shape.line[-1], 4, palette.accent, palette.card)] if shape.line else []),
        _key(words, palette, shape),
        label(width - _RIGHT, height - 6, words.across, palette.muted, anchor="end"),
        label(4, _TOP - 12, words.upward, palette.muted),
    ]
    return picture(words.title, (width, height), parts, _table(days, words, write, name), least=_LEAST)


def _runs(days: Sequence[Day], holds: Callable[[Day], bool]) -> list[list[Day]]:
    """Consecutive days for which it holds."""
    runs: list[list[Day]] = [[]]
    for day in days:
        if holds(day):
            runs[-1].append(day)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _immature(shape: CourseShape, palette: Palette) -> list[Markup]:
    top, tall = shape.y.end, shape.y.start - shape.y.end
    return [
        part
        for left, right in shape.immature
        for part in (
            rectangle((left, top), (right - left, tall), palette.muted, opacity=0.06),
            hatch((left, top), (right - left, tall), palette.line),
        )
    ]


def _grid(shape: CourseShape, write: Callable[[float], str], palette: Palette, width: float) -> list[Markup]:
    parts = []
    for value in ticks(shape.y.low, shape.y.high, 5):
        at = shape.y(value)
        parts.append(segment((_LEFT, at), (width - _RIGHT, at), palette.line))
        parts.append(label(_LEFT - 8, at + 4, write(value), palette.muted, anchor="end"))
    return parts


def _days(
    days: Sequence[Day], shape: CourseShape, name: Callable[[int], str], palette: Palette, height: float
) -> list[Markup]:
    every = [day.at for day in days]
    widest = max((text_width(name(at)) for at in every), default=1.0)
    fitting = max(2, int((shape.x.end - shape.x.start) // (widest + 22)))
    skip = -(-len(every) // fitting) if every else 1
    return [
        label(shape.x(at), height - _BOTTOM + 18, name(at), palette.muted, anchor="middle")
        for at in every[::skip]
    ]


def _events(events: Sequence[Event], shape: CourseShape, palette: Palette, height: float) -> list[Markup]:
    parts = []
    free = [0.0, 0.0]
    for at, names in _together(events, shape):
        text = shortened(" · ".join(names), 220, 11)
        # Two rows of names, so that two events close to each other can both be read.
        row = 0 if at >= free[0] else 1
        free[row] = at + text_width(text, 11) + 10
        parts.append(segment((at, _TOP - 2), (at, height - _BOTTOM), palette.warn, width=1.2, dash="4 3"))
        turned = at + text_width(text, 11) + 6 > shape.x.end
        parts.append(
            label(
                at - 4 if turned else at + 4,
                _TOP + 10 + row * 14,
                text,
                palette.warn,
                size=11,
                anchor="end" if turned else "start",
            )
        )
    return parts


def _together(events: Sequence[Event], shape: CourseShape) -> list[tuple[float, list[str]]]:
    """What happened inside the picture, by place; one mark for what is too close to be told apart."""
    found: list[tuple[float, list[str]]] = []
    for event in sorted(events, key=lambda each: each.at):
        if not shape.x.low <= event.at <= shape.x.high:
            continue
        at = shape.x(event.at)
        if found and at - found[-1][0] < _APART:
            found[-1][1].append(event.name)
        else:
            found.append((at, [event.name]))
    return found


def _key(words: CourseWords, palette: Palette, shape: CourseShape) -> Markup:
    entries = [(segment((0, 0), (16, 0), palette.accent, width=2.4), words.line)]
    if shape.bands:
        entries.append((rectangle((0, -6), (16, 12), palette.accent, opacity=0.16), words.band))
    if shape.immature:
        entries.append((hatch((0, -6), (16, 12), palette.muted, 4), words.immature))
    return legend(entries, 4, 14, palette)


def _table(
    days: Sequence[Day], words: CourseWords, write: Callable[[float], str], name: Callable[[int], str]
) -> Markup:
    rows = [
        (
            name(day.at),
            write(day.value),
            "–" if day.low is None or day.high is None else f"{write(day.low)} ~ {write(day.high)}",
            "" if day.mature else words.immature,
        )
        for day in days
    ]
    return hidden_table(words.title, (words.across, words.line, words.band, words.immature), rows)
