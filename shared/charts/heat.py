"""Two things crossed: what each pair changed, and upon how many customers that rests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from shared.charts.marks import group, hatch, hidden_table, label, picture, rectangle
from shared.charts.palette import Palette
from shared.charts.scale import shortened

_LEFT, _TOP, _ROW, _GAP, _WIDEST = 190, 34, 54, 3, 230
_FAINT, _FULL = 0.07, 0.5
_LEAST = 420


class HeatCell(NamedTuple):
    """`value` None where nothing could be computed; `sure`: the interval leaves out zero."""

    value: float | None
    size: str
    sure: bool = False
    why: str = ""


@dataclass(frozen=True)
class HeatWords:
    title: str
    rows: str
    none: str


def strength(value: float, largest: float) -> float:
    """Opacity of a cell: from barely seen at zero to full at the largest value of all."""
    return round(_FAINT + (_FULL - _FAINT) * (min(abs(value) / largest, 1.0) if largest else 0.0), 3)


def heat(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[int, int], HeatCell],
    words: HeatWords,
    write: Callable[[float], str],
    palette: Palette,
    *,
    higher_is_better: bool = True,
    width: float = 620,
) -> Markup:
    """`cells` by (row, column); a pair that nobody was in is left empty."""
    wide = min((width - _LEFT) / max(len(columns), 1), _WIDEST)
    largest = max((abs(cell.value) for cell in cells.values() if cell.value is not None), default=0.0)
    parts = [
        label(_LEFT + wide * (at + 0.5), _TOP - 12, shortened(name, wide - 8), palette.muted, anchor="middle")
        for at, name in enumerate(columns)
    ]
    for at, name in enumerate(rows):
        parts.append(label(4, _TOP + _ROW * (at + 0.5) + 4, shortened(name, _LEFT - 16), palette.text))
        for over in range(len(columns)):
            corner = (_LEFT + wide * over, _TOP + _ROW * at)
            cell = cells.get((at, over))
            if cell is not None:
                sign = 1 if higher_is_better else -1
                tip = f"{name} × {columns[over]}"
                drawn = _cell(cell, corner, wide, largest, write, palette, sign)
                parts.append(group(drawn, f"{tip}: {cell.why or write(cell.value or 0)} · {cell.size}"))
    height = _TOP + _ROW * len(rows) + 6
    return picture(
        words.title, (width, height), parts, _table(rows, columns, cells, words, write), least=_LEAST
    )


def _cell(
    cell: HeatCell,
    corner: tuple[float, float],
    wide: float,
    largest: float,
    write: Callable[[float], str],
    palette: Palette,
    sign: int,
) -> list[Markup]:
    left, top = corner
    size = (wide - _GAP, _ROW - _GAP)
    middle = left + (wide - _GAP) / 2
    if cell.value is None:
        return [
            rectangle(corner, size, palette.muted, opacity=0.05, radius=4),
            hatch(corner, size, palette.line),
            label(middle, top + 23, "–", palette.muted, anchor="middle"),
            label(middle, top + 41, cell.size, palette.muted, size=11, anchor="middle"),
        ]
    colour = palette.good if cell.value * sign >= 0 else palette.bad
    text = write(cell.value)
    return [
        rectangle(corner, size, colour, opacity=strength(cell.value, largest), radius=4),
        label(middle, top + 23, text, palette.text, size=13, anchor="middle", bold=cell.sure),
        label(middle, top + 41, cell.size, palette.muted, size=11, anchor="middle"),
    ]


def _table(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[int, int], HeatCell],
    words: HeatWords,
    write: Callable[[float], str],
) -> Markup:
    def said(cell: HeatCell | None) -> str:
        if cell is None:
            return words.none
        return f"{cell.why or words.none if cell.value is None else write(cell.value)} ({cell.size})"

    body = [
        (name, *(said(cells.get((at, over))) for over in range(len(columns)))) for at, name in enumerate(rows)
    ]
    return hidden_table(words.title, (words.rows, *columns), body)
