"""Who the customer is."""

from services.segmentation.domain.catalogue.forms import attribute, dated
from services.segmentation.domain.features import Feature, Source, Turn
from services.segmentation.domain.features import FeatureType as Type


def _to_next(column: str) -> str:
    """Days to the next anniversary of a date, 0 on the day; 29 February falls on the 28th in short years."""

    def anniversary(later: int) -> str:
        years = f"date_diff('year', {column}, $today)::INTEGER + {later}"
        return f"({column} + to_years({years}))::DATE"

    this, next_ = anniversary(0), anniversary(1)
    return f"date_diff('day', $today, CASE WHEN {this} >= $today THEN {this} ELSE {next_} END)"


PROFILE: tuple[Feature, ...] = (
    attribute("kind", "客户类型", "Person or company", Type.text),
    attribute("org", "所属机构", "Organisation unit", Type.text),
    attribute("gender", "性别", "Gender", Type.text),
    attribute("occupation", "职业", "Occupation", Type.text),
    attribute("industry", "行业", "Industry", Type.text),
    attribute("risk_level", "风险等级", "Risk level", Type.text),
    attribute("primary_manager", "主办客户经理", "Primary manager", Type.text),
    attribute("backup_manager", "协办客户经理", "Backup manager", Type.text),
    dated("age", "年龄", "Age", "year", "date_sub('year', birth_date, $today)", "birth_date", Turn.years),
    dated(
        "tenure_months",
        "开户月数",
        "Months as a customer",
        "month",
        "date_sub('month', customer_since, $today)",
        "customer_since",
        Turn.months,
    ),
    dated(
        "tenure_years",
        "开户年数",
        "Years as a customer",
        "year",
        "date_sub('year', customer_since, $today)",
        "customer_since",
        Turn.years,
    ),
    attribute("birth_date", "出生日期", "Date of birth", Type.date),
    attribute("customer_since", "开户日期", "Customer since", Type.date),
    attribute("risk_valid_until", "风险评估有效期", "Risk level valid until", Type.date),
    dated(
        "days_to_birthday",
        "距生日天数",
        "Days to the birthday",
        "day",
        _to_next("birth_date"),
        "birth_date",
        Turn.any,
    ),
    dated(
        "days_to_anniversary",
        "距开户周年天数",
        "Days to the anniversary as a customer",
        "day",
        _to_next("customer_since"),
        "customer_since",
        Turn.any,
    ),
    dated(
        "days_to_risk_expiry",
        "距风险评估到期天数",
        "Days to the end of the risk assessment, negative after it",
        "day",
        "date_diff('day', $today, risk_valid_until)",
        "risk_valid_until",
        Turn.until,
    ),
    attribute("consent_call", "同意电话营销", "May be called", Type.boolean),
    attribute("consent_sms", "同意短信营销", "May be sent SMS", Type.boolean),
    attribute("consent_email", "同意邮件营销", "May be sent e-mail", Type.boolean),
    attribute("consent_visit", "同意上门拜访", "May be visited", Type.boolean),
    attribute("consent_app", "同意应用推送", "May be sent app messages", Type.boolean),
    Feature(
        "channels_allowed",
        "可触达渠道数",
        "Channels the customer may be contacted on",
        Type.integer,
        Source.customer,
        " + ".join(
            f"coalesce(consent_{channel}, false)::INTEGER"
            for channel in ("call", "sms", "email", "visit", "app")
        ),
        "channels",
    ),
)
