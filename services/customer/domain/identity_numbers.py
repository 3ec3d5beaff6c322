"""Chinese identity numbers: whether the check digit is right, and what they tell."""

import re
from dataclasses import dataclass
from datetime import date

_ID = re.compile(r"[1-9][0-9]{16}[0-9X]", re.ASCII)
_ID_CHECKS = "10X98765432"
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

_CREDIT_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT = re.compile(f"[{_CREDIT_SIGNS}]{{18}}", re.ASCII)
_CREDIT_WEIGHTS = tuple(3**place % 31 for place in range(17))

_MOBILE = re.compile(r"1[3-9][0-9]{9}", re.ASCII)
_LAND_LINE = re.compile(r"(0[1-9][0-9]{1,2})?[2-9][0-9]{6,7}", re.ASCII)
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_EMAIL = re.compile(
    r"[^@\s]{1,64}@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a valid number says of its person."""

    birth_date: date
    gender: str


def read_chinese_id(number: str) -> Told | None:
    """GB 11643: six digits of region, the birth date, a sequence whose last digit is odd for men, a check.

    Null when the form, the date or the check digit is wrong. `number` without separators, upper case.
    """
    if not _ID.fullmatch(number):
        return None
    total = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False))
    if _ID_CHECKS[total % 11] != number[17]:
        return None
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return Told(born, "M" if int(number[16]) % 2 else "F")


def is_credit_code(code: str) -> bool:
    """GB 32100: 18 signs without I, O, S, V, Z; the last one checks the others (modulus 31)."""
    if not _CREDIT.fullmatch(code):
        return False
    total = sum(
        _CREDIT_SIGNS.index(sign) * weight for sign, weight in zip(code, _CREDIT_WEIGHTS, strict=False)
    )
    return _CREDIT_SIGNS[-total % 31] == code[17]


def is_phone(number: str) -> bool:
    """A mainland mobile or land line, or a number with another country's code; without separators."""
    return any(form.fullmatch(number) for form in (_MOBILE, _LAND_LINE, _INTERNATIONAL))


def is_email(address: str) -> bool:
    return _EMAIL.fullmatch(address) is not None
