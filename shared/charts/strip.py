"""One interval on a line: small beside a figure, or with its axis under a verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shared.charts.forest import Estimate
from shared.charts.marks import dot, hidden_table, joined, label, picture, segment
from shared.charts.palette import Palette, Tone
from shared.charts.scale import Scale, room, ticks

_SMALL = (150.0, 22.0)
_HEIGHT, _MARGIN, _LINE = 66.0, 26.0, 26.0


@dataclass(frozen=True)
class StripWords:
    title: str
    figure: str
    target: str


def common_room(found: Sequence[Estimate]) -> tuple[float, float]:
    """Ends of an axis on which all of them can be compared."""
    return room([end for estimate in found for end in estimate], margin=0.04)


def small_strip(
    found: Estimate, ends: tuple[float, float], tone: Tone, palette: Palette, title: str
) -> Markup:
    """For a table: without axis, on the scale all rows share; the figures stand beside it."""
    width, height = _SMALL
    x, middle = Scale(*ends, 4, width - 4), height / 2
    colour = palette.of(tone)
    parts = [
        segment((x(0), 2), (x(0), height - 2), palette.muted, width=0.9),
        segment((x.within(found.low), middle), (x.within(found.high), middle), colour, width=2.2),
        dot(x.within(found.value), middle, 3.8, colour, palette.card),
    ]
    return Markup(
        '<svg class="strip" viewBox="0 0 {w:g} {h:g}" width="{w:g}" height="{h:g}" role="img"'
        ' aria-label="{title}">{parts}</svg>'
    ).format(w=width, h=height, title=title, parts=joined(parts))


def strip(
    found: Estimate,
    target: float | None,
    tone: Tone,
    words: StripWords,
    write: Callable[[float], str],
    palette: Palette,
    *,
    width: float = 560,
) -> Markup:
    """With an axis, the line of no effect, and the target aimed at."""
    low, high = room([*found, *([] if target is None else [target])])
    x = Scale(low, high, _MARGIN, width - _MARGIN)
    colour, bottom = palette.of(tone), _HEIGHT - 22
    parts = []
    for value in ticks(low, high, 5):
        parts.append(segment((x(value), bottom), (x(value), bottom + 4), palette.line))
        parts.append(label(x(value), bottom + 17, write(value), palette.muted, size=11, anchor="middle"))
    parts += [
        segment((x.start, bottom), (x.end, bottom), palette.line),
        segment((x(0), 8), (x(0), bottom), palette.text),
        segment((x(found.low), _LINE), (x(found.high), _LINE), colour, width=4),
        *(
            segment((x(end), _LINE - 6), (x(end), _LINE + 6), colour, width=2)
            for end in (found.low, found.high)
        ),
        dot(x(found.value), _LINE, 6, colour, palette.card),
    ]
    if target is not None:
        parts.append(segment((x(target), 4), (x(target), bottom), palette.accent, width=1.4, dash="4 3"))
        side = x(target) > width * 0.7
        parts.append(
            label(
                x(target) + (-5 if side else 5),
                13,
                words.target,
                palette.accent,
                size=11,
                anchor="end" if side else "start",
            )
        )
    rows = [(words.figure, f"{write(found.value)} [{write(found.low)}, {write(found.high)}]")]
    if target is not None:
        rows.append((words.target, write(target)))
    table = hidden_table(words.title, (words.figure, words.title), rows)
    return picture(words.title, (width, _HEIGHT), parts, table, least=300)
