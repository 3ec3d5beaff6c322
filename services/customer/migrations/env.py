"""Alembic environment of the customer service."""

import services.customer.models  # noqa: F401 - registers the tables
from shared.migrate import run_env

run_env()
