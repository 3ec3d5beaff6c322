"""Alembic environment of the campaign service."""

import services.campaign.models  # noqa: F401 - registers the tables
from shared.migrate import run_env

run_env()
