"""Charts of the review: options (ECharts) from plain rows. Keys that begin with ':' are JavaScript."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import escape
from nicegui.elements.echart import EChart

from services.console import theme
from services.console.formats import Quantity
from services.console.i18n import Language

Options = dict[str, Any]

_TIP = {":formatter": "p => p.data && p.data.tip !== undefined ? p.data.tip : p.name"}
# The interval as a line with end caps, the estimate as a dot; value = [estimate, row, low, high].
_INTERVAL = """(params, api) => {
  const low = api.coord([api.value(2), api.value(1)]), high = api.coord([api.value(3), api.value(1)]);
  const mid = api.coord([api.value(0), api.value(1)]), colour = api.visual('color');
  const style = {stroke: colour, lineWidth: 2};
  const line = (x1, y1, x2, y2) => ({type: 'line', shape: {x1, y1, x2, y2}, style});
  return {type: 'group', children: [
    line(low[0], low[1], high[0], high[1]), line(low[0], low[1] - 5, low[0], low[1] + 5),
    line(high[0], high[1] - 5, high[0], high[1] + 5),
    {type: 'circle', shape: {cx: mid[0], cy: mid[1], r: 5}, style: {fill: colour, stroke: '#fff'}}]};
}"""


@dataclass(frozen=True)
class Effect:
    """One row of an interval chart; `better` False where a lower outcome is the good one."""

    label: str
    value: float
    low: float
    high: float
    better: bool = True

    @property
    def colour(self) -> str:
        if self.low <= 0 <= self.high:
            return theme.MUTED
        return theme.GOOD if (self.low > 0) == self.better else theme.BAD


class Chart(EChart, component="chart.js"):
    """`ui.echart` with a browser side of ours: `chart.js` says why."""


def chart(options: Options, *, height: int, label: str) -> Chart:
    """`label` tells people who cannot see the picture what it shows."""
    base: Options = {
        "textStyle": {"fontFamily": theme.FONT, "color": theme.TEXT},
        "animationDuration": 350,
        "aria": {"enabled": True, "label": {"description": label}},
        **options,
    }
    drawn = Chart(base).classes("chart").style(f"height: {height}px")
    drawn.props["role"] = "img"
    drawn.props["aria-label"] = label
    return drawn


def intervals(effects: Sequence[Effect], quantity: Quantity) -> Options:
    """Effects with their intervals, one row each, beside a line at no effect."""
    data = [
        {
            "value": [effect.value, row, effect.low, effect.high],
            "itemStyle": {"color": effect.colour},
            "tip": f"<b>{escape(effect.label)}</b><br>{escape(quantity.signed(effect.value))}"
            f"<br>[{escape(quantity.signed(effect.low))}, {escape(quantity.signed(effect.high))}]",
        }
        for row, effect in enumerate(effects)
    ]
    return {
        "grid": {"left": 8, "right": 24, "top": 8, "bottom": 4, "containLabel": True},
        "tooltip": _TIP,
        "xAxis": {**_value_axis(quantity), "scale": False},
        "yAxis": _category_axis([effect.label for effect in effects], 220),
        "series": [
            {
                "type": "custom",
                ":renderItem": _INTERVAL,
                "encode": {"x": [0, 2, 3], "y": 1},
                "data": data,
                "markLine": {
                    "silent": True,
                    "symbol": "none",
                    "label": {"show": False},
                    "lineStyle": {"color": theme.INK, "type": "solid", "width": 1},
                    "data": [{"xAxis": 0}],
                },
            }
        ],
    }


def stacked_bars(
    labels: Sequence[str], parts: Mapping[str, Sequence[int]], colours: Sequence[str]
) -> Options:
    """Whole numbers that add up, one horizontal bar per label."""
    series = [
        {
            "name": name,
            "type": "bar",
            "stack": "all",
            "barMaxWidth": 18,
            "data": list(values),
            "itemStyle": {"color": colour},
        }
        for (name, values), colour in zip(parts.items(), colours, strict=True)
    ]
    return {
        "grid": {"left": 8, "right": 24, "top": 34, "bottom": 4, "containLabel": True},
        "legend": _legend(),
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
        "xAxis": {**_value_axis(None), "minInterval": 1},
        "yAxis": _category_axis(list(labels)),
        "series": series,
    }


def diverging(labels: Sequence[str], values: Sequence[float], tips: Sequence[str]) -> Options:
    """Differences to both sides of zero, in standard deviations."""
    data = [
        {
            "value": round(value, 3),
            "tip": tip,
            "itemStyle": {"color": theme.ACCENT if value >= 0 else "#c77d3b", "borderRadius": 2},
            "label": {"position": "right" if value >= 0 else "left"},
        }
        for value, tip in zip(values, tips, strict=True)
    ]
    return {
        "grid": {"left": 8, "right": 40, "top": 8, "bottom": 4, "containLabel": True},
        "tooltip": _TIP,
        "xAxis": {**_value_axis(None), "axisLabel": {"color": theme.MUTED}},
        "yAxis": _category_axis(list(labels)),
        "series": [
            {
                "type": "bar",
                "barMaxWidth": 14,
                "data": data,
                "label": {
                    "show": True,
                    "color": theme.MUTED,
                    ":formatter": "p => (p.value > 0 ? '+' : '') + p.value.toFixed(2)",
                },
            }
        ],
    }


def _value_axis(quantity: Quantity | None) -> Options:
    label: Options = {"color": theme.MUTED, "hideOverlap": True}
    if quantity is not None:
        label[":formatter"] = _compact_js(quantity)
    return {
        "type": "value",
        "splitNumber": 4,
        "axisLabel": label,
        "splitLine": {"lineStyle": {"color": theme.LINE}},
    }


def _category_axis(labels: list[str], width: int = 170) -> Options:
    return {
        "type": "category",
        "data": labels,
        "inverse": True,
        "axisTick": {"show": False},
        "axisLine": {"show": False},
        "axisLabel": {"color": theme.TEXT, "width": width, "overflow": "truncate"},
    }


def _legend() -> Options:
    return {"top": 0, "left": 0, "itemWidth": 12, "itemHeight": 8, "textStyle": {"color": theme.MUTED}}


_STEPS_JS: dict[Language, str] = {
    "zh": "a >= 1e8 ? [v / 1e8, ' 亿'] : a >= 1e4 ? [v / 1e4, ' 万'] : [v, '']",
    "en": "a >= 1e9 ? [v / 1e9, ' bn'] : a >= 1e6 ? [v / 1e6, ' m'] : a >= 1e4 ? [v / 1e3, ' k'] : [v, '']",
}


def _compact_js(quantity: Quantity) -> str:
    if quantity.kind == "proportion":
        return "v => (v * 100).toFixed(1) + '%'"
    steps = _STEPS_JS[quantity.language]
    scaled = f"const a = Math.abs(v), [n, u] = {steps};"
    return f"v => {{ {scaled} return (+n.toFixed(2)).toLocaleString('en') + u; }}"
