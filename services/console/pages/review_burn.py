"""What is left of a campaign's budget and quotas, and how long that lasts at the last days' pace."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from math import ceil

from markupsafe import Markup
from nicegui import ui

from services.console.formats import Quantity, day, exact_money, whole
from services.console.pages.review_facts import ReviewFacts
from services.console.view import View
from services.console.widgets.figures import panel
from services.console.widgets.html import html
from shared.charts.burn import BurnWords, Forecast, Left, burn, days_left
from shared.charts.palette import SCREEN
from shared.contracts.campaign.quotas import BudgetView, QuotaView
from shared.contracts.evaluation.pace import Pace, Rate

_FAR = 3650
"""Ten years: beyond it no date says anything."""


def draw_burn(view: View, seen: ReviewFacts) -> None:
    """Only for who sees the whole campaign: a branch's own spending would not add up to what is gone."""
    if seen.pace is None or not seen.pace.days or not view.user.at_head_office:
        return
    if seen.budget is None and not seen.quotas:
        return
    with ui.element("div").classes("grid cols-2"):
        if seen.budget is not None:
            _budget(view, seen, seen.pace, seen.budget)
        for quota in seen.quotas:
            _quota(view, seen, seen.pace, quota)


def _budget(view: View, seen: ReviewFacts, pace: Pace, budget: BudgetView) -> None:
    t = view.t
    money = Quantity(t.language, "sum", budget.currency)
    note = t(
        "burn.budget.note",
        amount=exact_money(budget.amount, budget.currency),
        spent=exact_money(budget.spent, budget.currency),
        reserved=exact_money(budget.reserved, budget.currency),
    )
    left = remaining(
        float(budget.amount - budget.spent), [(each.day, float(each.cost)) for each in pace.days]
    )
    with panel(t("burn.budget"), note):
        _draw(view, seen, left, float(budget.amount), pace.cost_rate, money.value)


def _quota(view: View, seen: ReviewFacts, pace: Pace, quota: QuotaView) -> None:
    t = view.t
    note = t(
        "burn.quota.note", units=whole(quota.units), sold=whole(quota.sold), reserved=whole(quota.reserved)
    )
    sold = [(each.day, float(each.sold.get(quota.offer, 0))) for each in pace.days]
    left = remaining(float(quota.units - quota.sold), sold)
    with panel(t("burn.quota", offer=quota.offer), note):
        _draw(view, seen, left, float(quota.units), pace.sold_rates.get(quota.offer), whole)


def remaining(now: float, used: Sequence[tuple[date, float]]) -> list[Left]:
    """What was left at the end of each day, backwards from what is left now; first, what there was before."""
    found: list[Left] = []
    left = now
    for on, amount in reversed(used):
        found.append(Left(on, left))
        left += amount
    if used:
        found.append(Left(used[0][0] - timedelta(days=1), left))
    return found[::-1]


def _draw(
    view: View,
    seen: ReviewFacts,
    left: list[Left],
    limit: float,
    rate: Rate | None,
    write: Callable[[float], str],
) -> None:
    t, ends = view.t, seen.board.registration.ends_on
    words = BurnWords(
        *(t(f"burn.{name}") for name in ("chart", "day", "left", "forecast", "end")),
    )
    forecast = Forecast(float(rate.per_day), float(rate.low), float(rate.high)) if rate else None
    html(burn(left, limit, forecast, ends, words, write, SCREEN))
    html(Markup('<p class="muted small">{}</p>').format(_said(view, seen, left[-1], rate)))


def _said(view: View, seen: ReviewFacts, last: Left, rate: Rate | None) -> str:
    """Until when it lasts, with the range; or why nothing is said of it."""
    t = view.t
    if last.amount <= 0:
        return t("burn.gone")
    if rate is None or seen.pace is None:
        return t("burn.no_rate")
    if seen.board.campaign.state == "completed":
        return t("burn.over")
    middle = days_left(last.amount, float(rate.per_day))
    soonest, latest = (days_left(last.amount, float(end)) for end in (rate.high, rate.low))
    if middle is None or soonest is None:
        return t("burn.unused", n=seen.pace.rate_days)

    def on(days: float) -> str:
        return day(last.day + timedelta(days=min(ceil(days), _FAR)))

    return t(
        "burn.until",
        n=seen.pace.rate_days,
        middle=on(middle),
        soonest=on(soonest),
        latest=t("burn.never") if latest is None else on(latest),
    )
