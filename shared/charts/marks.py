"""Elements of a picture. `Markup.format` escapes every value put into them."""

from collections.abc import Iterable, Sequence
from typing import Literal

from markupsafe import Markup

from shared.charts.palette import Palette
from shared.charts.scale import text_width

Anchor = Literal["start", "middle", "end"]
Points = Iterable[tuple[float, float]]

_READABLE = 0.72
"""Texts of 12 are drawn no smaller than 8.6."""
_TEXT = Markup('<text x="{}" y="{}" font-size="{}" text-anchor="{}" font-weight="{}" fill="{}">{}</text>')


def label(
    x: float,
    y: float,
    text: str,
    colour: str,
    *,
    size: float = 12,
    anchor: Anchor = "start",
    bold: bool = False,
) -> Markup:
    return _TEXT.format(_n(x), _n(y), _n(size), anchor, 600 if bold else 400, colour, text)


def segment(
    start: tuple[float, float], end: tuple[float, float], colour: str, *, width: float = 1, dash: str = ""
) -> Markup:
    """A straight line."""
    dashed = Markup(' stroke-dasharray="{}"').format(dash) if dash else ""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="{}" stroke-width="{}"{}/>').format(
        *(_n(place) for place in (*start, *end)), colour, _n(width), dashed
    )


def rectangle(
    corner: tuple[float, float],
    size: tuple[float, float],
    colour: str,
    *,
    opacity: float = 1,
    radius: float = 0,
) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="{}" fill="{}" fill-opacity="{}"/>').format(
        *(_n(place) for place in (*corner, *size)), _n(radius), colour, _n(opacity)
    )


def curve(points: Points, colour: str, *, width: float = 2, dash: str = "") -> Markup:
    """A line through `points`, from one straight to the next."""
    dashed = Markup(' stroke-dasharray="{}"').format(dash) if dash else ""
    return Markup(
        '<polyline points="{}" fill="none" stroke="{}" stroke-width="{}" stroke-linejoin="round"{}/>'
    ).format(_points(points), colour, _n(width), dashed)


def area(points: Points, colour: str, opacity: float) -> Markup:
    return Markup('<polygon points="{}" fill="{}" fill-opacity="{}"/>').format(
        _points(points), colour, _n(opacity)
    )


def dot(x: float, y: float, radius: float, fill: str, stroke: str) -> Markup:
    return Markup('<circle cx="{}" cy="{}" r="{}" fill="{}" stroke="{}" stroke-width="1.6"/>').format(
        _n(x), _n(y), _n(radius), fill, stroke
    )


def hatch(corner: tuple[float, float], size: tuple[float, float], colour: str, gap: float = 7) -> Markup:
    """Slanted lines over a rectangle; drawn one by one, as not every renderer fills with patterns."""
    (left, top), (width, height) = corner, size
    lines = []
    offset = gap
    while offset < width + height:
        start = (left + max(0.0, offset - height), top + min(offset, height))
        end = (left + min(offset, width), top + max(0.0, offset - width))
        lines.append(segment(start, end, colour, width=0.8))
        offset += gap
    return joined(lines)


def group(parts: Iterable[Markup], tip: str) -> Markup:
    """Parts that belong together; `tip` is shown to who points at them."""
    return Markup("<g><title>{}</title>{}</g>").format(tip, joined(parts))


def joined(parts: Iterable[Markup]) -> Markup:
    return Markup().join(parts)


def legend(entries: Sequence[tuple[Markup, str]], x: float, y: float, palette: Palette) -> Markup:
    """Small signs (drawn around 0,0 to 16,0) with what they stand for, in one row."""
    parts, place = [], x
    for sign, text in entries:
        parts.append(Markup('<g transform="translate({} {})">{}</g>').format(_n(place), _n(y), sign))
        parts.append(label(place + 22, y + 4, text, palette.muted))
        place += 22 + text_width(text) + 18
    return joined(parts)


def picture(
    title: str, size: tuple[float, float], parts: Iterable[Markup], table: Markup, *, least: float = 0
) -> Markup:
    """The finished figure: a picture with its name, and its numbers as a table for who cannot see it.

    Narrower than `least`, or than what keeps its texts readable, it is scrolled and not made smaller.
    """
    width, height = size
    return Markup(
        '<figure class="figure"><div class="figure-scroll"><svg viewBox="0 0 {w} {h}" width="{w}"'
        ' height="{h}" role="img" aria-label="{title}" style="width:100%;height:auto;min-width:{least}px;'
        'max-width:{most}px">{parts}</svg></div>{table}</figure>'
    ).format(
        w=_n(width),
        h=_n(height),
        title=title,
        least=_n(max(least, width * _READABLE)),
        most=_n(width * 1.2),
        parts=joined(parts),
        table=table,
    )


def hidden_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """For screen readers; style sheets keep it out of sight."""
    head = joined(Markup('<th scope="col">{}</th>').format(column) for column in columns)
    body = joined(
        Markup("<tr>{}</tr>").format(joined(Markup("<td>{}</td>").format(cell) for cell in row))
        for row in rows
    )
    return Markup(
        '<div class="unseen"><table><caption>{}</caption><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(caption, head, body)


def _points(points: Points) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(number: float) -> str:
    """Two places at most: files stay small and equal on every machine."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
