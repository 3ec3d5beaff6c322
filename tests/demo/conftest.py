"""One small bank for all tests of the demo."""

from datetime import date

import pytest

from deploy.demo.bank import Bank, generate

BUSINESS_DATE = date(2026, 10, 16)


@pytest.fixture(scope="session")
def bank() -> Bank:
    return generate(6_000, seed=7, business_date=BUSINESS_DATE)
