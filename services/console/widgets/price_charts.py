"""What a quote leaves as its volumes come in: straight lines from what is fixed."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import escape

from services.console import theme
from services.console.formats import exact_money, percent
from services.console.i18n import Texts
from services.console.widgets.charts import Options
from shared.contracts.campaign.quotes import QuoteTotals

_COLOURS = (theme.ACCENT, theme.HOLD_OUT, theme.WARN, theme.GOOD, theme.INK)
_SHARES = tuple(step / 10 for step in range(21))


class Way(NamedTuple):
    """One way to sell the same volumes."""

    name: str
    total: QuoteTotals


def break_even(t: Texts, ways: Sequence[Way], currency: str) -> Options:
    """Contribution by the share of the quoted volumes; the line of zero is where each breaks even."""
    return {
        "grid": {"left": 8, "right": 24, "top": 34, "bottom": 26, "containLabel": True},
        "legend": {"top": 0, "textStyle": {"color": theme.MUTED}},
        "tooltip": {":formatter": "p => p.data && p.data.tip || ''"},
        "xAxis": {
            "type": "value",
            "min": 0,
            "max": _SHARES[-1],
            "name": t("prices.of_volumes"),
            "nameLocation": "middle",
            "nameGap": 24,
            "nameTextStyle": {"color": theme.MUTED},
            "axisLabel": {"color": theme.MUTED, ":formatter": "v => Math.round(v * 100) + '%'"},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "axisLabel": {"color": theme.MUTED},
            "splitLine": {"lineStyle": {"color": theme.LINE}},
        },
        "series": [
            _line(way, _COLOURS[place % len(_COLOURS)], currency, first=place == 0)
            for place, way in enumerate(ways)
        ],
    }


def _line(way: Way, colour: str, currency: str, *, first: bool) -> Options:
    fixed, whole = way.total.fixed, way.total.contribution
    line: Options = {
        "type": "line",
        "name": way.name,
        "symbolSize": 5,
        "lineStyle": {
            "width": 2.6 if first else 1.6,
            "color": colour,
            "type": "solid" if first else "dashed",
        },
        "itemStyle": {"color": colour},
        "data": [
            {
                "value": [share, (left := round(float(fixed) + share * float(whole - fixed), 2))],
                "tip": f"{escape(way.name)}<br>{percent(share, 0)}: {exact_money(left, currency)}",
            }
            for share in _SHARES
        ],
    }
    if first:
        zero: Options = {"color": theme.BAD, "type": "dashed", "width": 1.2}
        line["markLine"] = {
            "silent": True,
            "symbol": "none",
            "label": {"show": False},
            "data": [{"yAxis": 0, "lineStyle": zero}, {"xAxis": 1, "lineStyle": {"color": theme.MUTED}}],
        }
    return line
