"""Charts of customers: value by month, the network around one, quality over days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import escape

from services.console import theme
from services.console.formats import exact_money
from services.console.widgets.charts import Options

PALETTE = ("#0d6a8a", "#1d7a5f", "#c08a1e", "#7a5aa6", "#c77d3b", "#3f6fb5", "#8a8f3c", "#a65a7a")


@dataclass(frozen=True)
class Node:
    """One customer of a network; `ring` is its distance from the middle."""

    key: str
    label: str
    kind: str
    ring: int
    tip: str


@dataclass(frozen=True)
class Edge:
    source: str
    target: str
    label: str
    value: float | None = None


def value_by_month(
    months: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    total: tuple[str, Sequence[float]],
    currency: str,
) -> Options:
    """What a month is made of, stacked to both sides of zero, and what remains as a line."""
    bars: list[Options] = [
        {
            "name": name,
            "type": "bar",
            "stack": "all",
            "barMaxWidth": 28,
            "data": [
                {"value": value, "tip": _tip(name, month, value, currency)}
                for month, value in zip(months, values, strict=True)
            ],
            "itemStyle": {"color": PALETTE[index % len(PALETTE)]},
        }
        for index, (name, values) in enumerate(parts.items())
    ]
    line: Options = {
        "name": total[0],
        "type": "line",
        "symbolSize": 5,
        "data": [
            {"value": value, "tip": _tip(total[0], month, value, currency)}
            for month, value in zip(months, total[1], strict=True)
        ],
        "lineStyle": {"color": theme.INK, "width": 1.6},
        "itemStyle": {"color": theme.INK},
    }
    return {
        "grid": {"left": 8, "right": 16, "top": 40, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "left": 0, "type": "scroll", "textStyle": {"color": theme.MUTED}},
        "tooltip": {":formatter": "p => p.data.tip"},
        "xAxis": {"type": "category", "data": list(months), "axisLabel": {"color": theme.MUTED}},
        "yAxis": {
            "type": "value",
            "axisLabel": {"color": theme.MUTED},
            "splitLine": {"lineStyle": {"color": theme.LINE}},
        },
        "series": [*bars, line],
    }


def network(nodes: Sequence[Node], edges: Sequence[Edge], kinds: Mapping[str, str]) -> Options:
    """Customers around the middle one; the arrow points the way its label reads."""
    order = list(kinds)
    data = [
        {
            "id": node.key,
            "name": node.label,
            "category": order.index(node.kind),
            "symbolSize": 46 if node.ring == 0 else max(30 - 5 * node.ring, 12),
            "tip": node.tip,
            "label": {"show": True, "position": "bottom" if node.ring == 0 else "right"},
        }
        for node in nodes
    ]
    links = [
        {
            "source": edge.source,
            "target": edge.target,
            "tip": f"{escape(edge.label)}" + ("" if edge.value is None else f" {edge.value:.1%}"),
            "label": {"show": len(edges) <= 40, "formatter": edge.label},
        }
        for edge in edges
    ]
    return {
        "color": list(PALETTE),
        "tooltip": {":formatter": "p => p.data.tip || p.name"},
        "legend": {"top": 0, "left": 0, "textStyle": {"color": theme.MUTED}},
        "series": [
            {
                "type": "graph",
                "layout": "force",
                "roam": True,
                "draggable": True,
                # Laid out at once: an animation that goes on behind another tab fails on its empty size.
                "force": {
                    "repulsion": 260,
                    "edgeLength": [70, 150],
                    "gravity": 0.08,
                    "layoutAnimation": False,
                },
                "edgeSymbol": ["none", "arrow"],
                "edgeSymbolSize": 7,
                "edgeLabel": {"fontSize": 10, "color": theme.MUTED},
                "lineStyle": {"color": theme.HOLD_OUT, "curveness": 0.06},
                "label": {"color": theme.TEXT, "fontSize": 11},
                "emphasis": {"focus": "adjacency"},
                "categories": [{"name": name} for name in kinds.values()],
                "data": data,
                "links": links,
            }
        ],
    }


def _tip(name: str, month: str, value: float, currency: str) -> str:
    return f"<b>{escape(name)}</b> · {escape(month)}<br>{exact_money(value, currency)}"


def trend(days: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> Options:
    """Scores from 0 to 100 over days; a gap where there is none."""
    drawn: list[Options] = [
        {
            "name": name,
            "type": "line",
            "showSymbol": False,
            "data": list(values),
            "lineStyle": {"width": 2.6 if index == 0 else 1.4, "color": PALETTE[index % len(PALETTE)]},
            "itemStyle": {"color": PALETTE[index % len(PALETTE)]},
        }
        for index, (name, values) in enumerate(series.items())
    ]
    return {
        "grid": {"left": 8, "right": 16, "top": 36, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "left": 0, "textStyle": {"color": theme.MUTED}},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": list(days), "axisLabel": {"color": theme.MUTED}},
        "yAxis": {
            "type": "value",
            "max": 100,
            "scale": True,
            "splitLine": {"lineStyle": {"color": theme.LINE}},
        },
        "series": drawn,
    }
