"""Identity numbers with valid check characters, and telephone numbers from a range nobody was given."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from deploy.demo.bank.columns import Dates, Ints, choose, join, padded

_PERSON_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_PERSON_CHECKS = "10X98765432"
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = np.array([1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28])

Digits = npt.NDArray[np.int64]


def person_check(digits: Digits) -> Ints:
    """Index into ``10X98765432`` for rows of 17 digits (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return np.asarray(digits @ _PERSON_WEIGHTS % 11, np.int64)


def credit_check(values: Digits) -> Ints:
    """Value of the check character for rows of 17 values 0–30 (GB 32100-2015)."""
    return np.asarray((31 - values @ _CREDIT_WEIGHTS % 31) % 31, np.int64)


def _spread(number: Ints, width: int) -> Digits:
    return number[:, None] // 10 ** np.arange(width - 1, -1, -1) % 10


def person_numbers(region: Ints, born: Dates, sequence: Ints, female: npt.NDArray[np.bool_]) -> pa.Array:
    """18-character resident identity numbers; the 17th digit is even for women."""
    day = born.astype("datetime64[D]")
    year = day.astype("datetime64[Y]").astype(np.int64) + 1970
    month = day.astype("datetime64[M]").astype(np.int64) % 12 + 1
    of_month = (day - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    serial = sequence % 500 * 2 + np.where(female, 0, 1)
    body = ((region * 10_000 + year) * 10_000 + month * 100 + of_month) * 1000 + serial
    return join(padded(body, 17), choose(list(_PERSON_CHECKS), person_check(_spread(body, 17))))


def credit_codes(region: Ints, sequence: Ints) -> pa.Array:
    """18-character unified social credit codes of companies (91 + region + nine characters + check)."""
    body = (91 * 1_000_000 + region) * 1_000_000_000 + sequence
    values = _spread(body, 17)
    return join(padded(body, 17), choose(list(_CREDIT_ALPHABET), credit_check(values)))


def phone_numbers(sequence: Ints) -> pa.Array:
    """Mobile numbers beginning 154, which no operator has issued."""
    return join("154", padded(sequence * 7919 % 100_000_000, 8))
