"""Checks both written forms share: names, types and constants of one condition."""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import get_args

from services.segmentation.domain.features import Catalogue, FeatureType
from services.segmentation.domain.rules.problems import RuleError
from services.segmentation.domain.rules.tree import EventValue, FeatureValue, Measure, Op, Operand, Value
from shared.contracts.customer.relations import RelationKind

MAX_LEAVES = 200
MAX_DEPTH = 32
MAX_TEXT = 10_000
MAX_DAYS = 3660
MAX_ITEMS = 500

_NUMBER_LIMIT = Decimal(10) ** 15
_EVENT_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,5}")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,59}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")
NUMERIC = {FeatureType.number, FeatureType.integer, FeatureType.money}

TYPED_FIELDS = {
    "amount": FeatureType.money,
    "direction": FeatureType.text,
    "channel": FeatureType.text,
    "product": FeatureType.text,
}
"""Event fields that have a column of their own; every other field takes the type of its constant."""

RELATIONS: tuple[str, ...] = get_args(RelationKind)
_COUNTS = {
    Op.eq: (1, 1),
    Op.ne: (1, 1),
    Op.gt: (1, 1),
    Op.gte: (1, 1),
    Op.lt: (1, 1),
    Op.lte: (1, 1),
    Op.between: (2, 2),
    Op.in_: (1, MAX_ITEMS),
    Op.is_null: (0, 0),
    Op.is_not_null: (0, 0),
}
_ORDERED = {Op.gt, Op.gte, Op.lt, Op.lte, Op.between}


def feature_key(name: str, catalogue: Catalogue, where: str) -> str:
    if name not in catalogue:
        near = catalogue.nearest(name)
        hint = f"; did you mean '{near}'?" if near else ""
        raise RuleError(f"there is no feature '{name}'{hint}", where)
    if catalogue[name].archived:
        raise RuleError(f"the feature '{name}' is archived", where)
    return name


def ranked_key(name: str, catalogue: Catalogue, where: str) -> str:
    """A feature that customers can be ranked by."""
    key = feature_key(name, catalogue, where)
    if catalogue[key].type not in NUMERIC:
        raise RuleError(f"'{key}' is a {catalogue[key].type}: only numbers have a rank", where)
    return key


def event_type(name: str, where: str) -> str:
    return _named(_EVENT_TYPE, name, "an event type", where)


def event_field(name: str, where: str) -> str:
    return _named(_FIELD, name, "an event field", where)


def product_code(name: str, where: str) -> str:
    return _named(_CODE, name, "a product code", where)


def segment_key(name: str, where: str) -> str:
    return _named(_KEY, name, "a segment key", where)


def relation(name: str, where: str) -> str:
    if name not in RELATIONS:
        raise RuleError(f"there is no relation '{name}'; there are: {', '.join(RELATIONS)}", where)
    return name


def after(value: object, within: int, where: str) -> int:
    """The near end of a window ahead."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= within:
        raise RuleError(f"must be a whole number from 0 to {within}", where)
    return value


def _named(pattern: re.Pattern[str], name: str, what: str, where: str) -> str:
    if not pattern.fullmatch(name):
        raise RuleError(f"'{name}' is not {what}", where)
    return name


def days(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_DAYS:
        raise RuleError(f"days must be a whole number from 1 to {MAX_DAYS}", where)
    return value


def operand_type(operand: Operand, catalogue: Catalogue) -> FeatureType | None:
    """The type constants must have; `None` is a point in time."""
    match operand:
        case FeatureValue(key):
            return catalogue[key].type
        case EventValue(Measure.first | Measure.last):
            return None
        case _:
            return FeatureType.number


def compared(op: Op, raw: list[object], kind: FeatureType | None, where: str) -> tuple[Value, ...]:
    """Checks an operator against the operand's type and reads its constants."""
    low, high = _COUNTS[op]
    if not low <= len(raw) <= high:
        raise RuleError(f"'{op}' takes {_how_many(low, high)}", where)
    if op in _ORDERED and kind in {FeatureType.text, FeatureType.boolean}:
        raise RuleError(f"a {kind} value has no order: '{op}' does not apply", where)
    return tuple(constant(value, kind, where) for value in raw)


def _how_many(low: int, high: int) -> str:
    if low == high:
        return {0: "no value", 1: "one value", 2: "two values"}[low]
    return f"{low} to {high} values"


def constant(raw: object, kind: FeatureType | None, where: str) -> Value:
    if kind is None:
        return _moment(raw, where)
    if kind in NUMERIC:
        return number(raw, where)
    if kind is FeatureType.boolean and isinstance(raw, bool):
        return raw
    if kind is FeatureType.date:
        return _date(raw, where)
    if kind is FeatureType.text and isinstance(raw, str):
        return _text(raw, where)
    raise RuleError(f"{_shown(raw)} is not a {kind} value", where)


def field_type(field: str, op: Op, raw: list[object]) -> FeatureType:
    """Of a declared field its type; of any other one what its constants are."""
    if field in TYPED_FIELDS:
        return TYPED_FIELDS[field]
    if raw and all(isinstance(value, bool) for value in raw):
        return FeatureType.boolean
    is_number = all(isinstance(value, int | float | Decimal) for value in raw) and bool(raw)
    return FeatureType.number if is_number or (op in _ORDERED) else FeatureType.text


def number(raw: object, where: str) -> int | Decimal:
    """Exact: at most 15 significant digits and 6 decimals, so that no engine rounds it."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        raise RuleError(f"{_shown(raw)} is not a number", where)
    try:
        value = Decimal(repr(raw) if isinstance(raw, float) else raw).normalize()
    except InvalidOperation:
        raise RuleError(f"{_shown(raw)} is not a number", where) from None
    digits, exponent = value.as_tuple().digits, value.as_tuple().exponent
    if not isinstance(exponent, int) or abs(value) >= _NUMBER_LIMIT or exponent < -6 or len(digits) > 15:
        raise RuleError(f"{_shown(raw)} is out of range: below 10^15 with at most 6 decimals", where)
    return int(value) if exponent >= 0 else value


def _text(raw: str, where: str) -> str:
    if len(raw) > 200 or any(ord(letter) < 32 for letter in raw):
        raise RuleError("a text constant has at most 200 characters and no control characters", where)
    return raw


def _date(raw: object, where: str) -> date:
    try:
        return date.fromisoformat(raw) if isinstance(raw, str) else _refuse(raw)
    except (TypeError, ValueError):
        raise RuleError(f"{_shown(raw)} is not a date such as '2026-01-31'", where) from None


def _moment(raw: object, where: str) -> date | datetime:
    """A date (its start in the bank's zone) or a time with offset."""
    try:
        if isinstance(raw, str) and len(raw) == 10:
            return date.fromisoformat(raw)
        moment = datetime.fromisoformat(raw) if isinstance(raw, str) else _refuse(raw)
    except (TypeError, ValueError):
        raise RuleError(f"{_shown(raw)} is not a date or an RFC 3339 time", where) from None
    if moment.tzinfo is None:
        raise RuleError(f"{_shown(raw)} needs an offset such as +08:00", where)
    return moment


def _refuse(raw: object) -> "datetime":
    raise TypeError(raw)


def _shown(raw: object) -> str:
    return f"'{raw}'" if isinstance(raw, str) else str(raw).lower() if isinstance(raw, bool) else str(raw)


def measured_field(measure: Measure, name: str, where: str) -> str:
    """The field of sum, avg, min, max (a number) or distinct (anything)."""
    field = event_field(name, where)
    if measure is not Measure.distinct and TYPED_FIELDS.get(field) is FeatureType.text:
        raise RuleError(f"'{field}' is a text: '{measure}' needs a number", where)
    return field
