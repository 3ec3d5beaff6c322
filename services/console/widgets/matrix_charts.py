"""The picture of a GE matrix: customers as bubbles over nine cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import escape

from services.console import theme
from services.console.widgets.charts import Options

_COLOURS = {"A": theme.GOOD, "B": theme.WARN, "C": theme.HOLD_OUT}
_SMALLEST, _LARGEST = 8.0, 46.0


@dataclass(frozen=True)
class Bubble:
    """One customer; its area stands for `value`."""

    attractiveness: float
    competitiveness: float
    customer_class: str
    value: float | None
    tip: str


def matrix(bubbles: Sequence[Bubble], low: float, high: float, x: str, y: str) -> Options:
    """Competitiveness falls from left to right, attractiveness from top to bottom, as in the textbooks."""
    largest = max((max(bubble.value or 0.0, 0.0) for bubble in bubbles), default=0.0)
    series: list[Options] = [
        {
            "name": name,
            "type": "scatter",
            "itemStyle": {"color": colour, "opacity": 0.72, "borderColor": "#fff"},
            "data": [
                {
                    "value": [round(bubble.competitiveness, 3), round(bubble.attractiveness, 3)],
                    "symbolSize": _size(bubble.value, largest),
                    "tip": bubble.tip,
                }
                for bubble in bubbles
                if bubble.customer_class == name
            ],
        }
        for name, colour in _COLOURS.items()
    ]
    lines = [{"xAxis": low}, {"xAxis": high}, {"yAxis": low}, {"yAxis": high}]
    series[0]["markLine"] = {
        "silent": True,
        "symbol": "none",
        "label": {"show": False},
        "lineStyle": {"color": theme.MUTED, "type": "dashed"},
        "data": lines,
    }
    return {
        "grid": {"left": 34, "right": 24, "top": 36, "bottom": 28, "containLabel": True},
        "legend": {"top": 0, "left": 0, "textStyle": {"color": theme.MUTED}},
        "tooltip": {":formatter": "p => p.data.tip || p.name"},
        "xAxis": {**_axis(x), "inverse": True},
        "yAxis": _axis(y),
        "series": series,
    }


def bubble_tip(name: str, lines: Sequence[str]) -> str:
    return "<br>".join([f"<b>{escape(name)}</b>", *(str(escape(line)) for line in lines)])


def _size(value: float | None, largest: float) -> float:
    if not value or value < 0 or not largest:
        return _SMALLEST
    return round(_SMALLEST + (_LARGEST - _SMALLEST) * float((value / largest) ** 0.5), 1)


def _axis(name: str) -> Options:
    return {
        "type": "value",
        "min": 1,
        "max": 5,
        "interval": 1,
        "name": name,
        "nameLocation": "middle",
        "nameGap": 26,
        "nameTextStyle": {"color": theme.MUTED},
        "axisLabel": {"color": theme.MUTED},
        "splitLine": {"lineStyle": {"color": theme.LINE}},
    }
