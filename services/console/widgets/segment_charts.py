"""Pictures of segments: size over time, and how much they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.console import theme
from services.console.widgets.charts import Options

_TIP = {":formatter": "p => p.data && p.data.tip !== undefined ? p.data.tip : p.name"}
_PALE = "#f3f7fa"


@dataclass(frozen=True)
class Period:
    """`size` at its end, none before the segment had members."""

    label: str
    size: int | None
    joined: int
    left: int


def trend(periods: Sequence[Period], size: str, joined: str, left: str) -> Options:
    """Size as a line; who joined as bars above, who left as bars below zero."""
    axis: Options = {
        "type": "value",
        "minInterval": 1,
        "axisLabel": {"color": theme.MUTED, "hideOverlap": True},
        "splitLine": {"lineStyle": {"color": theme.LINE}},
    }
    bars: Options = {"type": "bar", "stack": "moved", "yAxisIndex": 1, "barMaxWidth": 12}
    return {
        "grid": {"left": 8, "right": 8, "top": 34, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "left": 0, "textStyle": {"color": theme.MUTED}},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "category",
            "data": [period.label for period in periods],
            "axisLabel": {"color": theme.MUTED},
            "axisLine": {"lineStyle": {"color": theme.LINE}},
        },
        "yAxis": [{**axis, "scale": True}, {**axis, "splitLine": {"show": False}}],
        "series": [
            {
                **bars,
                "name": joined,
                "itemStyle": {"color": theme.GOOD},
                "data": [period.joined for period in periods],
            },
            {
                **bars,
                "name": left,
                "itemStyle": {"color": "#c77d3b"},
                "data": [-period.left for period in periods],
            },
            {
                "type": "line",
                "name": size,
                "showSymbol": False,
                "lineStyle": {"width": 2.4, "color": theme.ACCENT},
                "itemStyle": {"color": theme.ACCENT},
                "data": [period.size for period in periods],
            },
        ],
    }


@dataclass(frozen=True)
class Square:
    """`shade` from 0 to 1; `text` is written into it."""

    row: int
    column: int
    shade: float
    text: str
    tip: str


def heat_map(names: Sequence[str], squares: Sequence[Square]) -> Options:
    """A square matrix, the first row at the top."""
    axis: Options = {
        "type": "category",
        "data": list(names),
        "splitArea": {"show": False},
        "axisTick": {"show": False},
        "axisLine": {"show": False},
        "axisLabel": {"color": theme.TEXT, "width": 130, "overflow": "truncate"},
    }
    return {
        "grid": {"left": 8, "right": 8, "top": 8, "bottom": 8, "containLabel": True},
        "tooltip": _TIP,
        "xAxis": {**axis, "axisLabel": {**axis["axisLabel"], "rotate": 40, "width": 90, "interval": 0}},
        "yAxis": {**axis, "inverse": True, "axisLabel": {**axis["axisLabel"], "interval": 0}},
        "visualMap": {"show": False, "min": 0, "max": 1, "inRange": {"color": [_PALE, theme.ACCENT]}},
        "series": [
            {
                "type": "heatmap",
                "itemStyle": {"borderColor": "#fff", "borderWidth": 2},
                "label": {"show": len(names) <= 12, ":formatter": "p => p.data.text"},
                "data": [
                    {
                        "value": [square.column, square.row, round(square.shade, 4)],
                        "text": square.text,
                        "tip": square.tip,
                        "label": {"color": "#fff" if square.shade > 0.55 else theme.TEXT},
                    }
                    for square in squares
                ],
            }
        ],
    }
