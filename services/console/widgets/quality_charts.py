"""What service quality is made of, as pictures: paths and their weights, reliability beside its line."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from services.console import theme
from services.console.formats import percent

_ROW, _TOP = 58, 12
_BOX_WIDTH, _BOX_HEIGHT = 168, 42
_COLUMNS = (4, 400, 796)
_WIDTH = _COLUMNS[-1] + _BOX_WIDTH + 4


@dataclass(frozen=True)
class Arrow:
    """One path: how much it counts for, `clipped` when it is below zero and counts nothing."""

    source: str
    weight: float
    low: float
    high: float
    clipped: bool

    @property
    def text(self) -> str:
        if self.clipped:
            return "× 0"
        return f"{percent(self.weight, 0)} [{self.low * 100:.0f}–{self.high * 100:.0f}]"


@dataclass(frozen=True)
class Branching:
    """One business: its share of the bank, and the dimensions its quality comes from."""

    into_bank: Arrow
    dimensions: Sequence[Arrow]


def path_diagram(businesses: Sequence[Branching], bank: str, label: str) -> Markup:
    """Dimensions on the left lead to their business, businesses to the bank; width stands for weight."""
    rows = sum(len(one.dimensions) for one in businesses)
    height = 2 * _TOP + rows * _ROW
    middle = height / 2
    parts: list[Markup] = []
    row = 0
    for business in businesses:
        size = len(business.dimensions)
        centre = _TOP + (row + size / 2) * _ROW
        for number, arrow in enumerate(business.dimensions):
            y = _TOP + (row + number + 0.5) * _ROW
            parts += (_line(0, y, centre, arrow), _box(0, y, arrow.source))
        share = business.into_bank
        parts += (_line(1, centre, middle, share), _box(1, centre, share.source))
        row += size
    parts.append(_box(2, middle, bank))
    return Markup(
        '<figure class="loop"><svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg></figure>'
    ).format(_WIDTH, height, label, Markup().join(parts))


def _box(column: int, y: float, text: str) -> Markup:
    x = _COLUMNS[column]
    return Markup(
        '<g><rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" fill="#f7f9fb" stroke="{line}"/>'
        '<text x="{tx}" y="{ty}" font-size="13.5" text-anchor="middle" fill="{ink}">{text}</text></g>'
    ).format(
        x=x,
        y=f"{y - _BOX_HEIGHT / 2:.1f}",
        w=_BOX_WIDTH,
        h=_BOX_HEIGHT,
        line=theme.LINE,
        tx=x + _BOX_WIDTH / 2,
        ty=f"{y + 4.5:.1f}",
        ink=theme.TEXT,
        text=text if len(text) <= 22 else text[:21] + "…",
    )


def _line(column: int, begin: float, end: float, arrow: Arrow) -> Markup:
    """From a box of `column` to the next column, with what it counts for beside its beginning."""
    left, right = _COLUMNS[column] + _BOX_WIDTH, _COLUMNS[column + 1]
    return Markup(
        '<path d="M{left} {begin}C{bend} {begin} {bend} {end} {right} {end}" fill="none" stroke="{colour}"'
        ' stroke-width="{width}" {dash}/><text x="{tx}" y="{ty}" font-size="12.5" fill="{ink}"'
        ' paint-order="stroke" stroke="#fff" stroke-width="4">{text}</text>'
    ).format(
        left=left,
        right=right,
        bend=(left + right) / 2,
        begin=f"{begin:.1f}",
        end=f"{end:.1f}",
        colour=theme.BAD if arrow.clipped else theme.ACCENT,
        width=f"{1.2 + 5 * arrow.weight:.1f}",
        dash=Markup('stroke-dasharray="4 4"') if arrow.clipped else Markup(),
        tx=left + 10,
        ty=f"{begin - 8:.1f}",
        ink=theme.BAD if arrow.clipped else theme.TEXT,
        text=arrow.text,
    )


def reliability_bar(value: float | None, line: float, label: str) -> Markup:
    """A reliability from 0 to 1 beside the line it has to reach; the figure stands beside it as text."""
    if value is None:
        return Markup("–")
    share = min(max(value, 0.0), 1.0)
    return Markup(
        '<svg viewBox="0 0 120 14" width="120" height="14" role="img" aria-label="{label}">'
        '<rect x="0" y="3" width="120" height="8" rx="4" fill="{ground}"/>'
        '<rect x="0" y="3" width="{width}" height="8" rx="4" fill="{colour}"/>'
        '<path d="M{at} 0V14" stroke="{ink}" stroke-width="1.6"/></svg> {value}'
    ).format(
        label=label,
        ground=theme.LINE,
        width=f"{120 * share:.1f}",
        colour=theme.GOOD if value >= line else theme.BAD,
        at=f"{120 * line:.1f}",
        ink=theme.INK,
        value=f"{value:.2f}",
    )


def sparkline(values: Sequence[float], label: str) -> Markup:
    """A branch's months in one small line; nothing of a single month."""
    if len(values) < 2:
        return Markup()
    low, high = min(values), max(values)
    step, span = 80 / (len(values) - 1), (high - low) or 1.0
    points = " ".join(
        f"{number * step + 2:.1f},{18 - 14 * (value - low) / span:.1f}" for number, value in enumerate(values)
    )
    return Markup(
        '<svg viewBox="0 0 84 20" width="84" height="20" role="img" aria-label="{}">'
        '<polyline points="{}" fill="none" stroke="{}" stroke-width="1.8"/></svg>'
    ).format(label, points, theme.ACCENT)
