"""Charts of groups of customers: how they differ, where they lie, how many there should be, what drifted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import escape

from services.console import theme
from services.console.widgets.charts import Options
from services.console.widgets.customer_charts import PALETTE

_LIMIT = 2.0
_TIP = {":formatter": "p => p.data && p.data.tip !== undefined ? p.data.tip : p.name"}


@dataclass(frozen=True)
class Point:
    """A customer in the plane, drawn fainter the less it belongs to its group."""

    x: float
    y: float
    group: int
    degree: float | None
    tip: str


def colour(group: int) -> str:
    return PALETTE[(group - 1) % len(PALETTE)] if group else theme.MUTED


def heat_map(
    groups: Sequence[str], features: Sequence[str], values: Sequence[Sequence[float | None]]
) -> Options:
    """Standardised differences from everybody, a row per feature, a column per group."""
    data = [
        {
            "value": [column, row, round(min(max(value, -_LIMIT), _LIMIT), 3)],
            "tip": f"<b>{escape(groups[column])}</b> · {escape(features[row])}<br>{value:+.2f} σ",
            "label": {"show": True, "formatter": f"{value:+.1f}"},
        }
        for row, cells in enumerate(values)
        for column, value in enumerate(cells)
        if value is not None
    ]
    return {
        "grid": {"left": 8, "right": 16, "top": 8, "bottom": 44, "containLabel": True},
        "tooltip": _TIP,
        "xAxis": {
            "type": "category",
            "data": list(groups),
            "axisTick": {"show": False},
            "axisLabel": {"color": theme.TEXT, "width": 110, "overflow": "truncate", "interval": 0},
        },
        "yAxis": {
            "type": "category",
            "data": list(features),
            "inverse": True,
            "axisTick": {"show": False},
            "axisLabel": {"color": theme.TEXT, "width": 150, "overflow": "truncate"},
        },
        "visualMap": {
            "min": -_LIMIT,
            "max": _LIMIT,
            "orient": "horizontal",
            "left": "center",
            "bottom": 0,
            "itemHeight": 90,
            "itemWidth": 10,
            "text": [f"+{_LIMIT:g} σ", f"−{_LIMIT:g} σ"],
            "textStyle": {"color": theme.MUTED},
            "inRange": {"color": ["#c77d3b", "#f7f4ee", "#0d6a8a"]},
        },
        "series": [{"type": "heatmap", "data": data, "itemStyle": {"borderColor": "#fff", "borderWidth": 2}}],
    }


def radar(features: Sequence[str], groups: Mapping[int, tuple[str, Sequence[float | None]]]) -> Options:
    """The same differences as outlines; the middle ring is everybody's mean."""
    return {
        "legend": {"top": 0, "left": 0, "type": "scroll", "textStyle": {"color": theme.MUTED}},
        "tooltip": {"trigger": "item"},
        "radar": {
            "center": ["50%", "56%"],
            "radius": "66%",
            "splitNumber": 4,
            "indicator": [{"name": name, "min": -_LIMIT, "max": _LIMIT} for name in features],
            "axisName": {"color": theme.TEXT, "width": 90, "overflow": "truncate"},
        },
        "series": [
            {
                "type": "radar",
                "symbolSize": 4,
                "data": [
                    {
                        "name": name,
                        "value": [round(min(max(value or 0.0, -_LIMIT), _LIMIT), 3) for value in values],
                        "lineStyle": {"color": colour(number), "width": 2},
                        "itemStyle": {"color": colour(number)},
                        "areaStyle": {"color": colour(number), "opacity": 0.08},
                    }
                    for number, (name, values) in groups.items()
                ],
            }
        ],
    }


def plane(points: Sequence[Point], names: Mapping[int, str], axes: tuple[str, str]) -> Options:
    """Customers on two axes, in the colour of their group."""
    numbers = sorted({point.group for point in points})
    return {
        "grid": {"left": 44, "right": 16, "top": 40, "bottom": 44},
        "legend": {"top": 0, "left": 0, "type": "scroll", "textStyle": {"color": theme.MUTED}},
        "tooltip": _TIP,
        "xAxis": _axis(axes[0]),
        "yAxis": _axis(axes[1]),
        "series": [
            {
                "type": "scatter",
                "name": names.get(number, str(number)),
                "symbolSize": 6,
                "itemStyle": {"color": colour(number)},
                "data": [
                    {
                        "value": [point.x, point.y],
                        "tip": point.tip,
                        "itemStyle": {
                            "opacity": 0.25 + 0.7 * (1.0 if point.degree is None else point.degree)
                        },
                    }
                    for point in points
                    if point.group == number
                ],
            }
            for number in numbers
        ],
    }


def criteria(ks: Sequence[int], series: Mapping[str, Sequence[float]], chosen: int, label: str) -> Options:
    """Evidence by number of groups, each from its worst (0) to its best (1); a line at the chosen one."""
    drawn: list[Options] = [
        {
            "name": name,
            "type": "line",
            "symbolSize": 6,
            "data": _scaled(values),
            "lineStyle": {"width": 2, "color": PALETTE[index % len(PALETTE)]},
            "itemStyle": {"color": PALETTE[index % len(PALETTE)]},
        }
        for index, (name, values) in enumerate(series.items())
    ]
    drawn[0]["markLine"] = {
        "silent": True,
        "symbol": "none",
        "label": {"formatter": label, "color": theme.INK},
        "lineStyle": {"color": theme.INK, "type": "dashed"},
        "data": [{"xAxis": str(chosen)}],
    }
    return {
        "grid": {"left": 8, "right": 24, "top": 54, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "left": 0, "textStyle": {"color": theme.MUTED}},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": [str(k) for k in ks], "axisLabel": {"color": theme.MUTED}},
        "yAxis": {"type": "value", "min": 0, "max": 1, "splitLine": {"lineStyle": {"color": theme.LINE}}},
        "series": drawn,
    }


def _scaled(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [round((value - low) / (high - low), 3) if high > low else 1.0 for value in values]


def stability_bars(labels: Sequence[str], values: Sequence[float], levels: Sequence[str]) -> Options:
    """Population stability index by feature, with the two usual limits."""
    tones = {"stable": theme.GOOD, "moderate": "#c08a1e", "shifted": theme.BAD}
    data = [
        {"value": round(value, 4), "itemStyle": {"color": tones[level], "borderRadius": 2}}
        for value, level in zip(values, levels, strict=True)
    ]
    return {
        "grid": {"left": 8, "right": 48, "top": 8, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "item"},
        "xAxis": {
            "type": "value",
            "min": 0,
            "max": max(0.3, *values),
            "axisLabel": {"show": False},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "category",
            "data": list(labels),
            "inverse": True,
            "axisTick": {"show": False},
            "axisLabel": {"color": theme.TEXT, "width": 150, "overflow": "truncate"},
        },
        "series": [
            {
                "type": "bar",
                "barMaxWidth": 14,
                "data": data,
                "label": {"show": True, "position": "right", "color": theme.MUTED},
                "markLine": {
                    "silent": True,
                    "symbol": "none",
                    "lineStyle": {"color": theme.MUTED, "type": "dashed"},
                    "data": [{"xAxis": 0.1}, {"xAxis": 0.25}],
                },
            }
        ],
    }


def _axis(name: str) -> Options:
    return {
        "type": "value",
        "name": name,
        "nameLocation": "middle",
        "nameGap": 24,
        "nameTextStyle": {"color": theme.MUTED},
        "axisLabel": {"show": False},
        "axisTick": {"show": False},
        "splitLine": {"lineStyle": {"color": theme.LINE}},
    }
