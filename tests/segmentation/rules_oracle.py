"""The rule language done naively: one customer at a time, in plain Python, from its definition."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.segmentation.domain.rules.tree import (
    All,
    AnyOf,
    EventValue,
    FeatureValue,
    FieldTest,
    HasProduct,
    InSegment,
    MaturesWithin,
    Measure,
    Never,
    Not,
    Op,
    Operand,
    ProductBalance,
    Rule,
    Stopped,
    Test,
)
from tests.segmentation.rules_random import NOW, TODAY, Customer, Event, Holding

ZONE = ZoneInfo("Asia/Shanghai")
Truth = bool | None


def holds(rule: Rule, customer: Customer, member_of: set[str]) -> Truth:  # noqa: PLR0911
    match rule:
        case All(items):
            found = [holds(item, customer, member_of) for item in items]
            return False if False in found else None if None in found else True
        case AnyOf(items):
            found = [holds(item, customer, member_of) for item in items]
            return True if True in found else None if None in found else False
        case Not(item):
            inner = holds(item, customer, member_of)
            return None if inner is None else not inner
        case Test(operand, op, values):
            return compared(value_of(operand, customer), op, values)
        case Never(type_):
            return not past(customer, type_)
        case Stopped(type_, days):
            times = [event.time for event in past(customer, type_)]
            return bool(times) and max(times) <= NOW - timedelta(days=days)
        case HasProduct(code):
            return any(each.product == code for each in open_holdings(customer))
        case MaturesWithin(days):
            last = TODAY + timedelta(days=days)
            return any(
                each.matures_on is not None and TODAY <= each.matures_on <= last
                for each in open_holdings(customer)
            )
        case InSegment(key):
            return key in member_of


def compared(value: Any, op: Op, constants: tuple[Any, ...]) -> Truth:  # noqa: C901, PLR0911
    if op is Op.is_null:
        return value is None
    if op is Op.is_not_null:
        return value is not None
    if value is None:
        return None
    constants = tuple(_like(value, constant) for constant in constants)
    match op:
        case Op.between:
            return bool(constants[0] <= value <= constants[1])
        case Op.in_:
            return value in constants
        case Op.eq:
            return bool(value == constants[0])
        case Op.ne:
            return bool(value != constants[0])
        case Op.gt:
            return bool(value > constants[0])
        case Op.gte:
            return bool(value >= constants[0])
        case Op.lt:
            return bool(value < constants[0])
        case _:
            return bool(value <= constants[0])


def _like(value: Any, constant: Any) -> Any:
    if isinstance(value, datetime) and not isinstance(constant, datetime):
        return datetime.combine(constant, time(), ZONE)
    return constant


def value_of(operand: Operand, customer: Customer) -> Any:
    match operand:
        case FeatureValue(key):
            return feature(key, customer)
        case ProductBalance(code):
            return sum((each.balance for each in open_holdings(customer) if each.product == code), Decimal(0))
        case EventValue(Measure.first, type_):
            return min((event.time for event in past(customer, type_)), default=None)
        case EventValue(Measure.last, type_):
            return max((event.time for event in past(customer, type_)), default=None)
        case EventValue():
            return windowed(operand, customer)


def past(customer: Customer, type_: str, days: int | None = None) -> list[Event]:
    return [
        event
        for event in customer.events
        if event.type == type_
        and event.time <= NOW
        and (days is None or event.time > NOW - timedelta(days=days))
    ]


def windowed(value: EventValue, customer: Customer) -> Any:
    taken = [
        event
        for event in past(customer, value.type, value.days)
        if all(field_holds(event, test) for test in value.where)
    ]
    if value.measure is Measure.count:
        return len(taken)
    assert value.field is not None
    found = [event.data[value.field] for event in taken if value.field in event.data]
    if value.measure is Measure.distinct:
        return len({str(each) for each in found})
    amounts = [Decimal(str(each)) for each in found]
    if value.measure is Measure.sum:
        return sum(amounts, Decimal(0))
    if not amounts:
        return None
    if value.measure is Measure.avg:
        return float(sum(amounts)) / len(amounts)
    return min(amounts) if value.measure is Measure.min else max(amounts)


def field_holds(event: Event, test: FieldTest) -> Truth:
    value = event.data.get(test.field)
    if test.field in {"amount", "days"} and value is not None:
        value = Decimal(str(value))
    return compared(value, test.op, test.values)


def open_holdings(customer: Customer, until: Any = None) -> list[Holding]:
    """The latest state of each account; of two for one date the later told."""
    latest: dict[str, Holding] = {}
    for each in customer.holdings:
        if until is not None and each.as_of > until:
            continue
        if each.account not in latest or each.as_of >= latest[each.account].as_of:
            latest[each.account] = each
    return [each for each in latest.values() if not each.closed]


_ASSETS = {"demand", "time_deposit", "payroll", "wealth", "fund", "insurance"}
_INVESTED = {"wealth", "fund", "insurance"}


def _balance(customer: Customer, categories: set[str], until: Any = None) -> Decimal:
    return sum(
        (each.balance for each in open_holdings(customer, until) if each.category in categories), Decimal(0)
    )


def _amounts(customer: Customer, type_: str, days: int, direction: str | None = None) -> list[Decimal]:
    return [
        Decimal(event.data["amount"])
        for event in past(customer, type_, days)
        if "amount" in event.data and (direction is None or event.data.get("direction") == direction)
    ]


def feature(key: str, customer: Customer) -> Any:  # noqa: C901, PLR0911, PLR0912 - a list of definitions
    total = Decimal(0)
    posted = "transaction.posted"
    match key:
        case "kind":
            return "person"
        case "org":
            return "hq.test"
        case "gender" | "occupation" | "birth_date" | "customer_since" | "consent_sms":
            return customer.attributes[key]
        case "industry" | "risk_level" | "primary_manager" | "risk_valid_until":
            return None
        case "consent_call" | "consent_email":
            return False
        case "age":
            return _full_months(customer.attributes["birth_date"], 12)
        case "tenure_months":
            return _full_months(customer.attributes["customer_since"], 1)
        case "aum":
            return _balance(customer, _ASSETS)
        case "deposit_balance":
            return _balance(customer, {"demand", "time_deposit", "payroll"})
        case "wealth_balance":
            return _balance(customer, _INVESTED)
        case "loan_balance":
            return _balance(customer, {"loan"})
        case "aum_90d_ago":
            return _balance(customer, _ASSETS, TODAY - timedelta(days=90))
        case "aum_change_90d":
            return _balance(customer, _ASSETS) - _balance(customer, _ASSETS, TODAY - timedelta(days=90))
        case "wealth_share":
            aum = _balance(customer, _ASSETS)
            return float(_balance(customer, _INVESTED)) / float(aum) if aum else None
        case "product_count":
            return len({each.product for each in open_holdings(customer)})
        case "days_to_maturity":
            ahead = [each.matures_on for each in open_holdings(customer) if each.matures_on]
            return min(((day - TODAY).days for day in ahead if day >= TODAY), default=None)
        case "txn_count_30d" | "txn_count_90d":
            return len(past(customer, posted, int(key[-3:-1])))
        case "inflow_30d":
            return sum(_amounts(customer, posted, 30, "in"), total)
        case "outflow_30d":
            return sum(_amounts(customer, posted, 30, "out"), total)
        case "net_inflow_30d" | "net_inflow_90d":
            days = int(key[-3:-1])
            return sum(_amounts(customer, posted, days, "in"), total) - sum(
                _amounts(customer, posted, days, "out"), total
            )
        case "avg_txn_amount_90d":
            amounts = _amounts(customer, posted, 90)
            return float(sum(amounts)) / len(amounts) if amounts else None
        case "max_txn_amount_90d":
            return max(_amounts(customer, posted, 90), default=None)
        case "last_txn_days":
            return min(((NOW - event.time).days for event in past(customer, posted)), default=None)
        case "last_login_days":
            return min(((NOW - event.time).days for event in past(customer, "login")), default=None)
        case "login_count_30d":
            return len(past(customer, "login", 30))
        case "complaint_count_180d":
            return len(past(customer, "complaint.filed", 180))
        case "card_spend_30d" | "card_spend_90d":
            return total
        case "contact_count_90d" | "branch_visit_count_90d" | "max_days_overdue_180d":
            return 0
        case "salary_flag":
            return False
        case _:
            raise AssertionError(f"the oracle does not know {key}")


def _full_months(since: Any, per: int) -> int | None:
    """Whole months from `since` to today, in units of `per` months; the last of a month counts as full."""
    if since is None:
        return None
    months = (TODAY.year - since.year) * 12 + TODAY.month - since.month
    return (months - (TODAY.day < since.day)) // per
