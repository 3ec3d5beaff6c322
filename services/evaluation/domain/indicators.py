"""What scorecards compare, as data: how it is called, what it counts, its unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from shared.contracts.evaluation.scorecards import IndicatorName

WINDOW_DAYS = 30
"""Days after assignment in which an outcome counts; customers whose days are not over yet are left out."""

Unit = Literal["money", "share"]
Role = Literal["outcome", "effect", "activity", "guardrail"]


@dataclass(frozen=True, slots=True)
class Indicator:
    """`better` is 1 when more is better, −1 when less is. `counted` says of whom and what, in both languages;
    `column` of the store's reading holds its outcome, one value a customer and campaign.
    """

    key: IndicatorName
    name: tuple[str, str]
    counted: tuple[str, str]
    unit: Unit
    role: Role
    column: str
    better: Literal[1, -1] = 1


INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        "net_inflow",
        ("30天净流入", "Net inflow, 30 days"),
        ("每位获配客户，分配后30天内的净流入", "Per customer given, within 30 days of assignment"),
        "money",
        "outcome",
        "net_inflow",
    ),
    Indicator(
        "net_inflow_effect",
        ("30天净流入（较对照组）", "Net inflow beside the hold-out"),
        (
            "同一单元内获配客户与随机对照客户的人均差异",
            "Difference per customer from those held out by lot in the same cell",
        ),
        "money",
        "effect",
        "net_inflow",
    ),
    Indicator(
        "conversion",
        ("30天产品开通率", "Opened a product, 30 days"),
        ("获配客户中开通产品的比例", "Share of customers given"),
        "share",
        "outcome",
        "conversion",
    ),
    Indicator(
        "contacted",
        ("期限内触达率", "Contacted in term"),
        (
            "获配客户中在任务期限内联系过的比例：过期任务不能再登记",
            "Share of customers given whose contact was worked on; one that has expired can no longer be",
        ),
        "share",
        "activity",
        "contacted",
    ),
    Indicator(
        "reached",
        ("接通率", "Reached"),
        ("获配客户中接通或送达的比例", "Share of customers given who were spoken to or have the message"),
        "share",
        "activity",
        "reached",
    ),
    Indicator(
        "responded",
        ("响应率", "Responded"),
        ("接通或送达客户中有意向的比例", "Share of customers reached who showed interest"),
        "share",
        "outcome",
        "responded",
    ),
    Indicator(
        "referred",
        ("转介率", "Referred"),
        ("30天内被转介的获配客户比例", "Share of customers given for whom a referral was made in 30 days"),
        "share",
        "activity",
        "referred",
    ),
    Indicator(
        "opportunity_won",
        ("商机赢单率", "Opportunity won"),
        ("30天内赢得商机的获配客户比例", "Share of customers given with an opportunity won in 30 days"),
        "share",
        "outcome",
        "opportunity_won",
    ),
    Indicator(
        "complaints",
        ("30天投诉率", "Complained, 30 days"),
        ("获配客户中30天内投诉的比例", "Share of customers given who complained in 30 days"),
        "share",
        "guardrail",
        "complaints",
        better=-1,
    ),
)
BY_KEY = {indicator.key: indicator for indicator in INDICATORS}


def days_of(period: str) -> tuple[date, date]:
    """First and last day of a month (2026-09) or a quarter (2026-Q3)."""
    year, part = int(period[:4]), period[5:]
    months = 3 if part.startswith("Q") else 1
    first = date(year, 3 * int(part[1:]) - 2 if months == 3 else int(part), 1)
    following = date(year + (first.month + months > 12), (first.month + months - 1) % 12 + 1, 1)
    return first, following - timedelta(days=1)


def months_of(period: str) -> list[date]:
    """First days of its months."""
    first, last = days_of(period)
    return [first.replace(month=month) for month in range(first.month, last.month + 1)]


def closes_on(period: str) -> date:
    """First day on which the outcome of everybody assigned in the period is known."""
    return days_of(period)[1] + timedelta(days=WINDOW_DAYS + 1)
