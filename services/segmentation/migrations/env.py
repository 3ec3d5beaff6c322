"""Alembic environment of the segmentation service."""

import services.segmentation.models  # noqa: F401 - registers the tables
from shared.migrate import run_env

run_env()
