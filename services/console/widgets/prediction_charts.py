"""Whether predicted probabilities come true, and how much a ranking finds."""

from collections.abc import Sequence

from services.console import theme
from services.console.formats import percent, whole
from services.console.i18n import Texts
from services.console.widgets.charts import Options
from shared.contracts.segmentation.predictions import CalibrationBin

_GRID: Options = {"left": 8, "right": 28, "top": 16, "bottom": 26, "containLabel": True}
_SHARE = "v => Math.round(v * 100) + '%'"


def calibration(t: Texts, bins: Sequence[CalibrationBin]) -> Options:
    """Predicted against observed, one dot for each group of customers; on the diagonal they agree."""
    top = min(1.0, 1.1 * max((max(each.predicted, each.observed) for each in bins), default=1.0))
    data = [
        {
            "value": [each.predicted, each.observed],
            "tip": t(
                "churn.bin",
                predicted=percent(each.predicted),
                observed=percent(each.observed),
                n=whole(each.customers),
            ),
        }
        for each in bins
    ]
    return {
        "grid": _GRID,
        "tooltip": {":formatter": "p => p.data.tip || ''"},
        "xAxis": {**_axis(top), "name": t("churn.predicted"), "nameLocation": "middle", "nameGap": 24},
        "yAxis": _axis(top),
        "series": [
            _diagonal(top),
            {"type": "line", "symbolSize": 9, "itemStyle": {"color": theme.ACCENT}, "data": data},
        ],
    }


def gains(t: Texts, found: Sequence[float]) -> Options:
    """Share of all outcomes within the first customers by score, beside a ranking by chance."""
    points = [[0.0, 0.0], *([(place + 1) / len(found), share] for place, share in enumerate(found))]
    data = [
        {"value": point, "tip": t("churn.gain", first=percent(point[0], 0), found=percent(point[1]))}
        for point in points
    ]
    return {
        "grid": _GRID,
        "tooltip": {":formatter": "p => p.data.tip || ''"},
        "xAxis": {**_axis(1.0), "name": t("churn.first"), "nameLocation": "middle", "nameGap": 24},
        "yAxis": _axis(1.0),
        "series": [
            _diagonal(1.0),
            {
                "type": "line",
                "symbolSize": 7,
                "itemStyle": {"color": theme.ACCENT},
                "areaStyle": {"opacity": 0.1},
                "data": data,
            },
        ],
    }


def _axis(top: float) -> Options:
    return {
        "type": "value",
        "min": 0,
        "max": top,
        "axisLabel": {"color": theme.MUTED, ":formatter": _SHARE},
        "nameTextStyle": {"color": theme.MUTED},
        "splitLine": {"lineStyle": {"color": theme.LINE}},
    }


def _diagonal(top: float) -> Options:
    return {
        "type": "line",
        "symbol": "none",
        "silent": True,
        "lineStyle": {"color": theme.HOLD_OUT, "type": "dashed", "width": 1.4},
        "data": [[0, 0], [top, top]],
    }
