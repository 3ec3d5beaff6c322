"""Checks of single values and the scores they add up to."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.customer.domain.identity_numbers import is_credit_code, is_email, is_phone, read_chinese_id
from services.customer.domain.quality import Profile, assess, compile_rule
from services.customer.domain.quality_defaults import DEFAULT_RULES
from shared.contracts.customer.quality import QualityRuleWrite

TODAY = date(2026, 11, 21)


def rule(code: str, check: dict[str, Any], weight: int = 1, **changes: Any) -> Any:
    text = {"zh": code, "en": code}
    body = {"name": text, "advice": text, "dimension": "validity", "check": check, "weight": weight}
    return compile_rule(code, QualityRuleWrite.model_validate({**body, **changes}))


def profile(kind: str = "person", repeated: frozenset[str] = frozenset(), **fields: Any) -> Profile:
    return Profile(kind=kind, fields=fields, updated_on=date(2026, 11, 1), repeated=repeated)


def test_identity_numbers_of_the_standard() -> None:
    """GB 11643's own examples."""
    assert read_chinese_id("11010519491231002X") is not None
    told = read_chinese_id("440524188001010014")
    assert told is not None
    assert (told.birth_date, told.gender) == (date(1880, 1, 1), "M")
    woman = read_chinese_id("11010519491231002X")
    assert woman is not None
    assert (woman.birth_date, woman.gender) == (date(1949, 12, 31), "F")


@pytest.mark.parametrize(
    "wrong",
    [
        "110105194912310021",  # check digit
        "11010519491231002x",  # lower case is brought to upper case before
        "1101051949123100",
        "110105194902300023",  # 30 February with a right check digit
        "11010519491231００2X",
        "",
    ],
)
def test_identity_numbers_that_are_none(wrong: str) -> None:
    assert read_chinese_id(wrong) is None


@pytest.mark.parametrize("code", ["91350100M000100Y43", "911101080828461726", "91440300708461136T"])
def test_credit_codes(code: str) -> None:
    """The first is the standard's example, the others are of well-known companies."""
    assert is_credit_code(code)
    assert not is_credit_code(code[:-1] + ("0" if code[-1] != "0" else "1"))
    assert not is_credit_code(code[1:])
    assert not is_credit_code("I" + code[1:])


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("13812341234", True),
        ("02158881234", True),
        ("58881234", True),
        ("+85221234567", True),
        ("12812341234", False),
        ("1381234123", False),
        ("00000000", False),
        ("١٣٨١٢٣٤١٢٣٤", False),
    ],
)
def test_phone_numbers(number: str, valid: bool) -> None:  # noqa: FBT001
    assert is_phone(number) is valid


def test_addresses() -> None:
    assert is_email("li.wei@bank.com.cn")
    assert not is_email("li@bank")
    assert not is_email("li@-bank.cn")


def test_scores_are_weights_met_over_weights_that_apply() -> None:
    rules = [
        rule("a", {"kind": "present", "field": "phone"}, 10, dimension="completeness"),
        rule("b", {"kind": "phone"}, 5),
        rule(
            "c", {"kind": "present", "field": "industry"}, 7, applies_to="company", dimension="completeness"
        ),
        rule("d", {"kind": "email"}, 9),
        rule("e", {"kind": "unique", "field": "phone"}, 1, dimension="uniqueness"),
    ]
    found = assess(rules, profile(phone="999", repeated=frozenset({"phone"})), TODAY)
    # b and e fail; c is for companies; d has nothing to judge: 10 of 16
    assert found.scores["score"] == Decimal("62.50")
    assert found.scores["completeness"] == Decimal("100.00")
    assert found.scores["validity"] == Decimal("0.00")
    assert found.scores["freshness"] is None
    assert found.failing == ["b", "e"]
    assert assess([], profile(), TODAY).scores["score"] is None


def test_files_are_judged_again_on_the_day_something_changes() -> None:
    rules = [
        rule("risk", {"kind": "risk_valid"}),
        rule("age", {"kind": "age_between", "minimum": 18, "maximum": 60}),
        rule("fresh", {"kind": "updated_within", "days": 30}),
    ]
    file = profile(risk_valid_until=date(2026, 11, 21), birth_date=date(2008, 11, 22))
    found = assess(rules, file, TODAY)
    assert (found.failing, found.next_check) == (["age"], date(2026, 11, 22))
    tomorrow = assess(rules, file, date(2026, 11, 22))
    assert (tomorrow.failing, tomorrow.next_check) == (["risk"], date(2026, 12, 2))
    later = assess(rules, file, date(2026, 12, 2))
    assert (later.failing, later.next_check) == (["fresh", "risk"], date(2069, 11, 22))
    assert assess(rules, profile(birth_date=date(1, 1, 1)), TODAY).failing == ["age"]


def test_what_the_identity_number_tells() -> None:
    check = [rule("same", {"kind": "matches_id"})]
    number = "11010519491231002X"
    agree = profile(id_number=number.lower(), birth_date=date(1949, 12, 31), gender="F")
    assert assess(check, agree, TODAY).failing == []
    assert assess(check, profile(id_number=number, gender="M"), TODAY).failing == ["same"]
    assert assess(check, profile(id_number="E1234567", gender="M"), TODAY).scores["score"] is None
    assert assess([rule("id", {"kind": "chinese_id"})], profile(id_number="E1234567"), TODAY).failing == []


@pytest.mark.parametrize("pattern", ["[", "(?=a)", r"(a)\1", "a)|(b"])
def test_patterns_must_be_regular(pattern: str) -> None:
    with pytest.raises(ValueError, match="regular expression"):
        rule("p", {"kind": "pattern", "field": "address", "pattern": pattern})


def test_a_pattern_matches_the_whole_value_in_linear_time() -> None:
    check = [rule("p", {"kind": "pattern", "field": "address", "pattern": "(a|aa)+"})]
    assert assess(check, profile(address="aaa"), TODAY).failing == []
    assert assess(check, profile(address="aaab"), TODAY).failing == ["p"]
    assert assess(check, profile(address="a" * 5_000 + "b"), TODAY).failing == ["p"]


def test_every_default_rule_can_fail_and_be_met() -> None:
    rules = {code: compile_rule(code, spec) for code, spec in DEFAULT_RULES.items()}
    good = profile(
        id_number="11010519491231002X",
        phone="13812341234",
        address="上海",
        email="a@b.cn",
        birth_date=date(1949, 12, 31),
        gender="F",
        occupation="教师",
        industry="电力",
        risk_level="C3",
        risk_valid_until=date(2027, 1, 1),
        customer_since=date(2020, 1, 1),
        primary_manager="S1",
        backup_manager="S2",
        consents={"call": True},
    )
    assert assess(rules.values(), good, TODAY).failing == []
    bad = Profile(
        kind="person",
        fields={
            "id_number": "110105194912310020",
            "phone": "1",
            "email": "a",
            "birth_date": date(1800, 1, 1),
            "risk_valid_until": date(2020, 1, 1),
            "customer_since": date(2030, 1, 1),
        },
        updated_on=date(2020, 1, 1),
        repeated=frozenset({"id_number", "phone"}),
    )
    failing = set(assess(rules.values(), bad, TODAY).failing)
    failing |= set(assess(rules.values(), profile(), TODAY).failing)
    failing |= set(assess(rules.values(), profile("company", id_number="1"), TODAY).failing)
    failing |= set(assess(rules.values(), profile(id_number="11010519491231002X", gender="M"), TODAY).failing)
    assert failing == set(rules)
