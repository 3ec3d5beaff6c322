"""The built-in features done naively: one customer at a time, in plain Python, from their definitions."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.segmentation.domain.catalogue.activity import ACTIVITY
from services.segmentation.domain.catalogue.flows import FLOWS
from services.segmentation.domain.catalogue.holdings import HOLDINGS
from services.segmentation.domain.catalogue.profile import PROFILE
from services.segmentation.domain.catalogue.ratios import DERIVED
from services.segmentation.domain.catalogue.value import VALUE
from services.segmentation.domain.features import Catalogue
from tests.segmentation.rules_random import NOW, TODAY, Customer, Event, Holding, Month

ZONE = ZoneInfo("Asia/Shanghai")
DEPOSITS = {"demand", "time_deposit", "payroll"}
INVESTED = {"wealth", "fund", "insurance"}
ASSETS = DEPOSITS | INVESTED
DIGITAL = {"mobile", "web", "wechat"}
POSTED, SPENT, SALARY = "transaction.posted", "card.spent", "salary.received"
ZERO = Decimal(0)
COUNTS = {
    "txn_count": POSTED,
    "card_count": SPENT,
    "login_count": "login",
    "complaint_count": "complaint.filed",
    "contact_count": "interaction.recorded",
    "branch_visit_count": "channel.visited",
    "overdue_count": "loan.overdue",
}
LAST = {
    "last_txn_days": POSTED,
    "last_card_days": SPENT,
    "last_login_days": "login",
    "last_contact_days": "interaction.recorded",
    "last_complaint_days": "complaint.filed",
}
SHARES = {
    "aum_growth_90d": ("aum_change_90d", "aum_90d_ago"),
    "aum_trend": ("avg_aum_30d", "avg_aum_90d"),
    "wealth_share": ("wealth_balance", "aum"),
    "deposit_share": ("deposit_balance", "aum"),
    "demand_share": ("demand_balance", "deposit_balance"),
    "digital_share_90d": ("digital_txn_count_90d", "txn_count_90d"),
    "txn_trend": ("txn_count_30d", "txn_count_90d"),
    "outflow_ratio_30d": ("outflow_30d", "aum"),
    "spend_to_salary_90d": ("card_spend_90d", "salary_90d"),
}
CHANGES = {
    "aum_change_90d": ("aum", "aum_90d_ago"),
    "deposit_change_90d": ("deposit_balance", "deposit_90d_ago"),
    "loan_change_90d": ("loan_balance", "loan_90d_ago"),
}
BALANCES = {
    "aum": ASSETS,
    "deposit": DEPOSITS,
    "demand": {"demand"},
    "time_deposit": {"time_deposit"},
    "wealth": INVESTED,
    "fund": {"fund"},
    "insurance": {"insurance"},
    "loan": {"loan"},
}


def past(customer: Customer, type_: str, days: int | None = None) -> list[Event]:
    return [
        event
        for event in customer.events
        if event.type == type_
        and event.time <= NOW
        and (days is None or event.time > NOW - timedelta(days=days))
    ]


def open_holdings(customer: Customer, until: Any = None) -> list[Holding]:
    """The latest state of each account; of two for one date the later told."""
    latest: dict[str, Holding] = {}
    for each in customer.holdings:
        if until is not None and each.as_of > until:
            continue
        if each.account not in latest or each.as_of >= latest[each.account].as_of:
            latest[each.account] = each
    return [each for each in latest.values() if not each.closed]


KNOWN = Catalogue((*PROFILE, *HOLDINGS, *FLOWS, *VALUE, *DERIVED, *ACTIVITY))
"""The features that are done naively here."""


def feature(key: str, customer: Customer) -> Any:
    for kind in (_profile, _of_holdings, _of_events, _of_value):
        found = kind(key, customer)
        if found is not NotImplemented:
            return found
    raise AssertionError(f"the oracle does not know {key}")


def _profile(key: str, customer: Customer) -> Any:  # noqa: C901, PLR0911, PLR0912 - a list of definitions
    attributes = customer.attributes
    match key:
        case "kind":
            return "person"
        case "org" | "gender" | "occupation" | "birth_date" | "customer_since" | "consent_sms":
            return attributes[key]
        case "risk_valid_until":
            return attributes[key]
        case "industry" | "risk_level" | "primary_manager" | "backup_manager":
            return None
        case "consent_call" | "consent_email" | "consent_visit" | "consent_app":
            return False
        case "channels_allowed":
            return int(attributes["consent_sms"])
        case "age":
            return _full_months(attributes["birth_date"], 12)
        case "tenure_months":
            return _full_months(attributes["customer_since"], 1)
        case "tenure_years":
            return _full_months(attributes["customer_since"], 12)
        case "days_to_birthday":
            return _to_next(attributes["birth_date"])
        case "days_to_anniversary":
            return _to_next(attributes["customer_since"])
        case "days_to_risk_expiry":
            until = attributes["risk_valid_until"]
            return None if until is None else (until - TODAY).days
        case _:
            return NotImplemented


def _full_months(since: Any, per: int) -> int | None:
    """Whole months from `since` to today, in units of `per` months; the last of a month counts as full."""
    if since is None:
        return None
    months: int = (TODAY.year - since.year) * 12 + TODAY.month - since.month
    return int(months - (TODAY.day < since.day)) // per


def _to_next(day: date | None) -> int | None:
    """Days to the next anniversary; of 29 February in a short year the 28th."""
    if day is None:
        return None
    ahead = (_day_of(year, day.month, day.day) for year in (TODAY.year, TODAY.year + 1))
    return next((each - TODAY).days for each in ahead if each >= TODAY)


def _day_of(year: int, month: int, day: int) -> date:
    """That day, or the last before it that the month has."""
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1


def _balance(customer: Customer, categories: set[str], until: Any = None) -> Decimal:
    return sum((each.balance for each in open_holdings(customer, until) if each.category in categories), ZERO)


def _mean(customer: Customer, categories: set[str], days: int) -> float:
    total = sum((_balance(customer, categories, TODAY - timedelta(days=back)) for back in range(days)), ZERO)
    return float(total) / days


def _of_holdings(key: str, customer: Customer) -> Any:  # noqa: C901, PLR0911, PLR0912 - a list of definitions
    held = open_holdings(customer)
    if key in CHANGES:
        now, then = (feature(each, customer) for each in CHANGES[key])
        return now - then
    if key.endswith("_balance") and key != "largest_balance":
        return _balance(customer, BALANCES[key.removesuffix("_balance")])
    if key.startswith("avg_") and key.split("_")[1] in BALANCES:
        _, name, days = key.split("_")
        return _mean(customer, BALANCES[name], int(days[:-1]))
    if key.endswith("_90d_ago"):
        return _balance(customer, BALANCES[key.removesuffix("_90d_ago")], TODAY - timedelta(days=90))
    ahead = [(each, each.matures_on) for each in held if each.matures_on and each.matures_on >= TODAY]
    match key:
        case "aum":
            return _balance(customer, ASSETS)
        case "product_count":
            return len({each.product for each in held})
        case "category_count":
            return len({each.category for each in held})
        case "account_count":
            return len(held)
        case "largest_balance":
            return max((each.balance for each in held if each.category in ASSETS), default=None)
        case "days_to_maturity":
            return min(((day - TODAY).days for _, day in ahead), default=None)
        case "maturing_30d" | "maturing_90d":
            last = TODAY + timedelta(days=int(key[-3:-1]))
            return sum((each.balance for each, day in ahead if day <= last and each.category in ASSETS), ZERO)
        case "days_since_opening":
            return None
        case "relation_count":
            return len({each.other for each in customer.relations if _holds_today(each)})
        case _:
            return NotImplemented


def _holds_today(each: Any) -> bool:
    begun = each.valid_from is None or each.valid_from <= TODAY
    return begun and (each.valid_until is None or each.valid_until > TODAY)


def _amounts(
    customer: Customer, type_: str, days: int, taken: Callable[[Event], bool] = lambda _: True
) -> list[Decimal]:
    return [
        Decimal(event.data["amount"])
        for event in past(customer, type_, days)
        if "amount" in event.data and taken(event)
    ]


def _going(direction: str) -> Callable[[Event], bool]:
    return lambda event: event.data.get("direction") == direction


def _on(channels: set[str]) -> Callable[[Event], bool]:
    return lambda event: event.data.get("channel") in channels


def _local(event: Event) -> date:
    return event.time.astimezone(ZONE).date()


def _of_events(key: str, customer: Customer) -> Any:  # noqa: C901, PLR0911, PLR0912 - a list of definitions
    name, _, last = key.rpartition("_")
    days = int(last[:-1]) if last[:-1].isdigit() and last.endswith("d") else 0
    if name in COUNTS and days:
        return len(past(customer, COUNTS[name], days))
    if key in LAST:
        return min(((TODAY - _local(event)).days for event in past(customer, LAST[key])), default=None)
    if key in SHARES:
        part, whole = (feature(each, customer) for each in SHARES[key])
        return float(part) / float(whole) if whole else None
    match name:
        case "inflow" | "outflow":
            return sum(_amounts(customer, POSTED, days, _going(name.removesuffix("flow"))), ZERO)
        case "net_inflow":
            inward = sum(_amounts(customer, POSTED, days, _going("in")), ZERO)
            return inward - sum(_amounts(customer, POSTED, days, _going("out")), ZERO)
        case "avg_txn_amount":
            amounts = _amounts(customer, POSTED, days)
            return float(sum(amounts)) / len(amounts) if amounts else None
        case "max_txn_amount":
            return max(_amounts(customer, POSTED, days), default=None)
        case "digital_amount":
            return sum(_amounts(customer, POSTED, days, _on(DIGITAL)), ZERO)
        case "mobile_txn_count":
            return sum(_on({"mobile"})(event) for event in past(customer, POSTED, days))
        case "digital_txn_count":
            return sum(_on(DIGITAL)(event) for event in past(customer, POSTED, days))
        case "counter_txn_count":
            return sum(_on({"counter"})(event) for event in past(customer, POSTED, days))
        case "txn_channel_count":
            found = {event.data.get("channel") for event in past(customer, POSTED, days)}
            return len(found - {None})
        case "card_spend":
            return sum(_amounts(customer, SPENT, days), ZERO)
        case "salary" if days:
            return sum(_amounts(customer, SALARY, days), ZERO)
        case "login_days":
            return len({_local(event) for event in past(customer, "login", days)})
        case "max_days_overdue":
            overdue = [
                event.data["days"] for event in past(customer, "loan.overdue", days) if "days" in event.data
            ]
            return max(overdue, default=0)
    return _of_all_events(key, customer)


def _of_all_events(key: str, customer: Customer) -> Any:
    match key:
        case "salary_flag":
            return bool(past(customer, SALARY, 45))
        case "open_complaints":
            filed, resolved = (past(customer, f"complaint.{state}") for state in ("filed", "resolved"))
            return max(0, len(filed) - len(resolved))
        case "days_to_salary_day":
            days = sorted(_local(event).day for event in past(customer, SALARY, 180))
            if not days:
                return None
            usual = days[(len(days) - 1) // 2]
            later = TODAY.replace(day=1) + timedelta(days=31)
            ahead = (_day_of(month.year, month.month, usual) for month in (TODAY, later))
            return next((each - TODAY).days for each in ahead if each >= TODAY)
        case _:
            return NotImplemented


def _of_value(key: str, customer: Customer) -> Any:
    newest = max((each.month for each in customer.months), default=None)
    model = min((each.model for each in customer.months if each.month == newest), default=None)
    mine = [each for each in customer.months if each.model == model]
    year = [each for each in mine if each.month >= date(TODAY.year - 1, TODAY.month, 1)]
    now = next((each for each in mine if each.month == newest), None)
    match key:
        case "contribution_12m":
            return sum((each.contribution for each in year), ZERO)
        case "income_12m":
            return sum((each.income for each in year), ZERO)
        case "contribution_month":
            return now.contribution if now else None
        case "potential":
            return now.potential if now else None
        case "raroc_12m":
            return _raroc(year)
        case _:
            return NotImplemented


def _raroc(months: list[Month]) -> float | None:
    capital = float(sum(each.capital_years for each in months))
    return float(sum(each.net_income for each in months)) / capital if capital else None
