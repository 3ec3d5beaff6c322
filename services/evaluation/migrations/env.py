"""Alembic environment of the evaluation service."""

import services.evaluation.models  # noqa: F401 - registers the tables
from shared.migrate import run_env

run_env()
