"""Judging one customer's file by the bank's rules."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from services.customer.domain.identity_numbers import is_credit_code, is_email, is_phone, read_chinese_id
from services.customer.domain.vault import normal_id, normal_phone
from shared.contracts.customer.quality import (
    AgeBetween,
    MatchesPattern,
    NotFuture,
    Present,
    QualityRuleWrite,
    Unique,
    UpdatedWithin,
)

DIMENSIONS = ("completeness", "validity", "freshness", "uniqueness")


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer's file, opened. `fields` by the names of the contract; `repeated` are those another has."""

    kind: str
    fields: Mapping[str, Any]
    updated_on: date
    repeated: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the rule is met; `until` is the first day it may be judged otherwise, the file unchanged."""

    passed: bool
    until: date | None = None


Judge = Callable[[Profile, date], Verdict | None]
"""Null: there is nothing to judge."""


@dataclass(frozen=True, slots=True)
class Rule:
    code: str
    dimension: str
    applies_to: str
    weight: int
    judge: Judge


@dataclass(frozen=True, slots=True)
class Assessment:
    """Scores in per cent with two decimals, null where no rule applies."""

    scores: Mapping[str, Decimal | None]
    """`score` and one for each dimension."""
    failing: Sequence[str]
    next_check: date | None


def compile_rule(code: str, spec: QualityRuleWrite) -> Rule:
    """ValueError when its pattern is not a regular expression of linear time."""
    return Rule(code, spec.dimension, spec.applies_to, spec.weight, _JUDGES[spec.check.kind](spec.check))


def assess(rules: Iterable[Rule], profile: Profile, today: date) -> Assessment:
    """The score is the weight of the rules met over that of the rules that apply."""
    met = dict.fromkeys(DIMENSIONS, 0)
    applied = dict.fromkeys(DIMENSIONS, 0)
    failing, changes = [], []
    for rule in rules:
        if rule.applies_to not in {"all", profile.kind}:
            continue
        verdict = rule.judge(profile, today)
        if verdict is None:
            continue
        applied[rule.dimension] += rule.weight
        met[rule.dimension] += rule.weight * verdict.passed
        if not verdict.passed:
            failing.append(rule.code)
        if verdict.until is not None:
            changes.append(verdict.until)
    scores = {name: _percent(met[name], applied[name]) for name in DIMENSIONS}
    scores["score"] = _percent(sum(met.values()), sum(applied.values()))
    return Assessment(scores, sorted(failing), min(changes, default=None))


def _percent(part: int, whole: int) -> Decimal | None:
    if whole == 0:
        return None
    return (Decimal(100 * part) / whole).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _present(check: Present) -> Judge:
    return lambda profile, _today: Verdict(bool(profile.fields.get(check.field)))


def _pattern(check: MatchesPattern) -> Judge:
    _compiled(check.pattern)  # alone first: "a)|(b" is one only between our brackets
    validator = _compiled(f"^(?:{check.pattern})$")

    def judge(profile: Profile, _today: date) -> Verdict | None:
        value = profile.fields.get(check.field)
        return Verdict(validator.is_valid(value)) if value else None

    return judge


def _compiled(pattern: str) -> Draft202012Validator:
    """Linear in the length of the value, whatever the pattern."""
    schema = {"type": "string", "pattern": pattern}
    try:
        return Draft202012Validator(schema, pattern_options=RegexOptions(size_limit=1_000_000))
    except (ValidationError, ValueError) as error:
        raise ValueError("is not a regular expression, or one that needs look-around") from error


def _chinese_id(profile: Profile, _today: date) -> Verdict | None:
    number = normal_id(profile.fields.get("id_number") or "")
    if not number or number[0].isalpha():
        return None
    return Verdict(read_chinese_id(number) is not None)


def _credit_code(profile: Profile, _today: date) -> Verdict | None:
    number = profile.fields.get("id_number")
    return Verdict(is_credit_code(normal_id(number))) if number else None


def _phone(profile: Profile, _today: date) -> Verdict | None:
    number = profile.fields.get("phone")
    return Verdict(is_phone(normal_phone(number))) if number else None


def _email(profile: Profile, _today: date) -> Verdict | None:
    address = profile.fields.get("email")
    return Verdict(is_email(address)) if address else None


def _matches_id(profile: Profile, _today: date) -> Verdict | None:
    """Only a valid number tells anything; what the file leaves open contradicts nothing."""
    told = read_chinese_id(normal_id(profile.fields.get("id_number") or ""))
    born, gender = profile.fields.get("birth_date"), profile.fields.get("gender")
    if told is None or (born is None and gender is None):
        return None
    return Verdict(born in {None, told.birth_date} and gender in {None, told.gender})


_NUMBERS: Mapping[str, Judge] = {
    "chinese_id": _chinese_id,
    "credit_code": _credit_code,
    "phone": _phone,
    "email": _email,
    "matches_id": _matches_id,
}


def _age(check: AgeBetween) -> Judge:
    def judge(profile: Profile, today: date) -> Verdict | None:
        born: date | None = profile.fields.get("birth_date")
        if born is None:
            return None
        first, after = _birthday(born, check.minimum), _birthday(born, check.maximum + 1)
        coming = [day for day in (first, after) if day > today]
        return Verdict(first <= today < after, min(coming, default=None))

    return judge


def _birthday(born: date, age: int) -> date:
    """29 February is kept on 1 March in other years; beyond the calendar never."""
    year = born.year + age
    if year > date.max.year:
        return date.max
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def _not_future(check: NotFuture) -> Judge:
    def judge(profile: Profile, today: date) -> Verdict | None:
        day: date | None = profile.fields.get(check.field)
        if day is None:
            return None
        return Verdict(day <= today, day if day > today else None)

    return judge


def _risk_valid(profile: Profile, today: date) -> Verdict | None:
    until: date | None = profile.fields.get("risk_valid_until")
    if until is None:
        return None
    valid = until >= today
    return Verdict(valid, until + timedelta(days=1) if valid and until < date.max else None)


def _updated_within(check: UpdatedWithin) -> Judge:
    def judge(profile: Profile, today: date) -> Verdict:
        stale_on = profile.updated_on + timedelta(days=check.days + 1)
        return Verdict(today < stale_on, stale_on if today < stale_on else None)

    return judge


def _unique(check: Unique) -> Judge:
    def judge(profile: Profile, _today: date) -> Verdict | None:
        known = profile.fields.get(check.field)
        return Verdict(check.field not in profile.repeated) if known else None

    return judge


_JUDGES: Mapping[str, Callable[[Any], Judge]] = {
    "present": _present,
    "pattern": _pattern,
    "age_between": _age,
    "not_future": _not_future,
    "risk_valid": lambda _check: _risk_valid,
    "updated_within": _updated_within,
    "unique": _unique,
    **dict.fromkeys(_NUMBERS, lambda check: _NUMBERS[check.kind]),
}
