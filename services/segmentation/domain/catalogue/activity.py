"""How the customer and the bank deal with each other: logins, visits, contacts, complaints, overdue."""

from services.segmentation.domain.catalogue.forms import (
    LOCAL_DATE,
    aggregated,
    counted,
    days_since,
)
from services.segmentation.domain.features import Dated, Feature, Missing, Source, Turn
from services.segmentation.domain.features import FeatureType as Type

_CONTACT = "interaction.recorded"
_COMPLAINT = "complaint.filed"
_RESOLVED = "complaint.resolved"
_OVERDUE = "loan.overdue"
_VISIT = "channel.visited"

ACTIVITY: tuple[Feature, ...] = (
    counted("login_count_7d", "7天登录次数", "Logins in 7 days", "login", 7),
    counted("login_count_30d", "30天登录次数", "Logins in 30 days", "login", 30),
    counted("login_count_90d", "90天登录次数", "Logins in 90 days", "login", 90),
    aggregated(
        "login_days_30d",
        "30天登录天数",
        "Days with a login in 30 days",
        Type.integer,
        "day",
        f"count(DISTINCT {LOCAL_DATE})",
        "login",
        30,
        Missing.zero,
    ),
    days_since("last_login_days", "距上次登录天数", "Days since the last login", "login"),
    counted("branch_visit_count_90d", "90天到店次数", "Channel visits in 90 days", _VISIT, 90),
    counted("contact_count_30d", "30天接触次数", "Contacts in 30 days", _CONTACT, 30),
    counted("contact_count_90d", "90天接触次数", "Contacts in 90 days", _CONTACT, 90),
    days_since("last_contact_days", "距上次接触天数", "Days since the last contact", _CONTACT),
    counted("complaint_count_180d", "180天投诉次数", "Complaints in 180 days", _COMPLAINT, 180),
    days_since("last_complaint_days", "距上次投诉天数", "Days since the last complaint", _COMPLAINT),
    Feature(
        "open_complaints",
        "未办结投诉数",
        "Complaints filed and not resolved",
        Type.integer,
        Source.event,
        f"greatest(0, count(*) FILTER (type = '{_COMPLAINT}') - count(*) FILTER (type = '{_RESOLVED}'))",
        "times",
        Missing.zero,
        (_COMPLAINT, _RESOLVED),
    ),
    aggregated(
        "max_days_overdue_180d",
        "180天最长逾期天数",
        "Longest overdue in 180 days",
        Type.integer,
        "day",
        "max(TRY_CAST(data ->> '$.days' AS INTEGER))",
        _OVERDUE,
        180,
        Missing.zero,
    ),
    counted("overdue_count_365d", "365天逾期次数", "Overdue notices in 365 days", _OVERDUE, 365),
    Feature(
        "relation_count",
        "关联客户数",
        "Customers related to this one",
        Type.integer,
        Source.relation,
        "count(DISTINCT other)",
        "customers",
        Missing.zero,
        dated=(
            Dated("relation", "valid_from", Turn.passing),
            Dated("relation", "valid_until", Turn.passing),
        ),
    ),
)
