"""The share inside a target profile by month, with its interval and what was declared."""

from collections.abc import Sequence

from markupsafe import escape

from services.console import theme
from services.console.formats import percent, whole
from services.console.i18n import Texts
from services.console.widgets.charts import Options
from shared.contracts.segmentation.targets import DriftPoint


def drift(t: Texts, points: Sequence[DriftPoint], tolerance: float | None) -> Options:
    """A line of shares over a band of 95 % intervals; months with evidence against them stand out."""
    months = [point.period.strftime("%Y-%m") for point in points]
    return {
        "grid": {"left": 8, "right": 70, "top": 16, "bottom": 4, "containLabel": True},
        "tooltip": {":formatter": "p => p.data && p.data.tip || ''"},
        "xAxis": {
            "type": "category",
            "data": months,
            "boundaryGap": False,
            "axisLabel": {"color": theme.MUTED},
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "max": 1,
            "axisLabel": {"color": theme.MUTED, ":formatter": "v => Math.round(v * 100) + '%'"},
            "splitLine": {"lineStyle": {"color": theme.LINE}},
        },
        "series": [*_band(points), _shares(t, points, tolerance)],
    }


def _band(points: Sequence[DriftPoint]) -> list[Options]:
    """An invisible floor and the width of the interval upon it."""
    plain: Options = {"type": "line", "stack": "interval", "symbol": "none", "silent": True}
    low = [point.low for point in points]
    width = [None if point.low is None or point.high is None else point.high - point.low for point in points]
    return [
        {**plain, "data": low, "lineStyle": {"opacity": 0}},
        {
            **plain,
            "data": width,
            "lineStyle": {"opacity": 0},
            "areaStyle": {"color": theme.ACCENT, "opacity": 0.14},
        },
    ]


def _shares(t: Texts, points: Sequence[DriftPoint], tolerance: float | None) -> Options:
    line: Options = {
        "type": "line",
        "symbolSize": 8,
        "lineStyle": {"width": 2.4, "color": theme.ACCENT},
        "data": [
            {
                "value": point.share,
                "tip": _tip(t, point),
                "symbol": "circle" if point.complete else "emptyCircle",
                "itemStyle": {"color": theme.BAD if point.evidence else theme.ACCENT},
            }
            for point in points
        ],
    }
    if tolerance is not None:
        line["markLine"] = {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"color": theme.WARN, "type": "dashed", "width": 1.4},
            "label": {"color": theme.WARN, "formatter": percent(tolerance, 0)},
            "data": [{"yAxis": tolerance}],
        }
    return line


def _tip(t: Texts, point: DriftPoint) -> str:
    lines = [
        point.period.strftime("%Y-%m") + ("" if point.complete else f" · {t('targets.running')}"),
        f"{percent(point.share)} [{percent(point.low)}, {percent(point.high)}]",
        t("targets.counted", inside=whole(point.inside), total=whole(point.total)),
        t("targets.effective", n=whole(point.effective_n)),
    ]
    if point.evidence:
        lines.append(t(f"targets.evidence.{point.evidence.value}"))
    return "<br>".join(str(escape(line)) for line in lines)
