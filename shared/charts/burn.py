"""What is left of a limit day by day, and when it will be used up if the last days go on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from markupsafe import Markup

from shared.charts.marks import area, curve, dot, hidden_table, label, legend, picture, segment
from shared.charts.palette import Palette
from shared.charts.scale import Scale, text_width, ticks

_LEFT, _RIGHT, _TOP, _BOTTOM, _LEAST = 78, 22, 44, 40, 420


class Left(NamedTuple):
    """What was left at the end of a day."""

    day: date
    amount: float


class Forecast(NamedTuple):
    """Use per day: the middle, and the ends of its range."""

    rate: float
    slow: float
    fast: float


@dataclass(frozen=True)
class BurnWords:
    title: str
    day: str
    left: str
    forecast: str
    end: str


@dataclass(frozen=True)
class BurnShape:
    x: Scale
    y: Scale
    line: list[tuple[float, float]]
    middle: list[tuple[float, float]]
    fan: list[tuple[float, float]]


def days_left(left: float, rate: float) -> float | None:
    """Until nothing is left at `rate` a day; None when it is never used up."""
    return left / rate if rate > 0 else None


def burn_shape(
    days: Sequence[Left], limit: float, forecast: Forecast | None, until: date, width: float, height: float
) -> BurnShape:
    """The forecast ends where nothing is left, or at the campaign's end."""
    first, last = days[0], days[-1]
    span = max((until - first.day).days, (last.day - first.day).days, 1)
    x = Scale(0, span, _LEFT, width - _RIGHT)
    y = Scale(0, max(limit, *(day.amount for day in days)) * 1.04 or 1.0, height - _BOTTOM, _TOP)
    now = (last.day - first.day).days

    def ahead(rate: float) -> tuple[float, float]:
        ends = days_left(last.amount, rate)
        reach = span - now if ends is None else min(span - now, ends)
        return x(now + reach), y(max(0.0, last.amount - max(rate, 0.0) * reach))

    here = (x(now), y(last.amount))
    line = [(x((day.day - first.day).days), y(day.amount)) for day in days]
    if forecast is None or span <= now:
        return BurnShape(x, y, line, [], [])
    slow, fast = ahead(forecast.slow), ahead(forecast.fast)
    corner = [(slow[0], fast[1])] if fast[1] == y(0) and slow[0] > fast[0] and slow[1] != fast[1] else []
    return BurnShape(x, y, line, [here, ahead(forecast.rate)], [here, slow, *corner, fast])


def burn(
    days: Sequence[Left],
    limit: float,
    forecast: Forecast | None,
    until: date,
    words: BurnWords,
    write: Callable[[float], str],
    palette: Palette,
    *,
    width: float = 580,
    height: float = 250,
) -> Markup:
    shape = burn_shape(days, limit, forecast, until, width, height)
    parts = [*_grid(shape, write, palette, width), *_dates(days[0].day, shape, palette, height)]
    if shape.fan:
        parts.append(area(shape.fan, palette.warn, 0.16))
        parts.append(curve(shape.middle, palette.warn, width=1.8, dash="5 4"))
    ends = (until - days[0].day).days
    if ends <= shape.x.high:
        at = shape.x(ends)
        parts.append(segment((at, _TOP), (at, height - _BOTTOM), palette.muted, dash="2 3"))
        parts.append(label(at - 4, _TOP - 6, words.end, palette.muted, size=11, anchor="end"))
    parts += [
        curve(shape.line, palette.accent, width=2.4),
        dot(*shape.line[-1], 4, palette.accent, palette.card),
        _key(words, palette, shape),
    ]
    rows = [(day.day.isoformat(), write(day.amount)) for day in days]
    table = hidden_table(words.title, (words.day, words.left), rows)
    return picture(words.title, (width, height), parts, table, least=_LEAST)


def _grid(shape: BurnShape, write: Callable[[float], str], palette: Palette, width: float) -> list[Markup]:
    parts = []
    for value in ticks(0, shape.y.high, 4):
        at = shape.y(value)
        parts.append(segment((_LEFT, at), (width - _RIGHT, at), palette.line))
        parts.append(label(_LEFT - 8, at + 4, write(value), palette.muted, anchor="end"))
    return parts


def _dates(first: date, shape: BurnShape, palette: Palette, height: float) -> list[Markup]:
    parts = []
    for offset in ticks(
        0, shape.x.high, max(1, int((shape.x.end - shape.x.start) // (text_width("00-00") + 40)))
    ):
        if offset != int(offset):
            continue
        day = first + timedelta(days=int(offset))
        at = shape.x(offset)
        parts.append(label(at, height - _BOTTOM + 18, day.strftime("%m-%d"), palette.muted, anchor="middle"))
    return parts


def _key(words: BurnWords, palette: Palette, shape: BurnShape) -> Markup:
    entries = [(segment((0, 0), (16, 0), palette.accent, width=2.4), words.left)]
    if shape.fan:
        entries.append((segment((0, 0), (16, 0), palette.warn, width=1.8, dash="5 4"), words.forecast))
    return legend(entries, 4, 14, palette)
