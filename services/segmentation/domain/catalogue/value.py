"""What the customer contributes, from the bank's own calculations by month."""

from services.segmentation.domain.features import Dated, Feature, Missing, Source, Turn
from services.segmentation.domain.features import FeatureType as Type

_YEAR = "month >= date_trunc('month', $today) - INTERVAL 12 MONTH"
_LEAVES = (Dated("value", "month", Turn.passing, months=(13,)),)


def _money(key: str, zh: str, en: str, expression: str, *, yearly: bool = True) -> Feature:
    return Feature(
        key,
        zh,
        en,
        Type.money,
        Source.value,
        expression,
        "CNY",
        Missing.zero if yearly else Missing.unknown,
        dated=_LEAVES if yearly else (),
    )


VALUE: tuple[Feature, ...] = (
    _money(
        "contribution_12m",
        "12个月综合贡献",
        "Contribution in 12 months",
        f"sum(contribution) FILTER ({_YEAR})",
    ),
    _money("income_12m", "12个月营业收入", "Income in 12 months", f"sum(income) FILTER ({_YEAR})"),
    _money(
        "contribution_month",
        "最近月综合贡献",
        "Contribution in the newest month",
        "sum(contribution) FILTER (month = newest)",
        yearly=False,
    ),
    _money(
        "potential",
        "潜在贡献",
        "Income lacking against peers",
        "sum(potential) FILTER (month = newest)",
        yearly=False,
    ),
    Feature(
        "raroc_12m",
        "12个月风险调整资本回报率",
        "Return on risk-adjusted capital in 12 months",
        Type.number,
        Source.value,
        f"(sum(net_income) FILTER ({_YEAR}))::DOUBLE"
        f" / nullif((sum(capital_years) FILTER ({_YEAR}))::DOUBLE, 0)",
        dated=_LEAVES,
    ),
)
