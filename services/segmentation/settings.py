"""Configuration of the segmentation service beyond what every service has."""

from typing import Annotated

from pydantic import Field

from shared.settings import Settings


class SegmentationSettings(Settings):
    store_file: str = "features.duckdb"
    """Customers, holdings and events, under `data_dir`. Every process needs a file of its own."""
    store_memory: str = "2GB"
    store_threads: Annotated[int, Field(ge=1)] = 2
    evaluate_after_seconds: Annotated[float, Field(gt=0)] = 0.05
    """The least time from one evaluation to the next: facts that arrive in it are evaluated together."""
    tick_seconds: Annotated[float, Field(gt=0)] = 1.0
    """Windows and dates expire within this time when no fact arrives."""
    evaluate_every_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How often the worker looks whether segments wait to be evaluated for everybody."""
    rank_every_seconds: Annotated[float, Field(gt=0)] = 300.0
    """How often rules are evaluated that compare customers with each other."""
    audit_every_seconds: Annotated[float, Field(gt=0)] = 3600.0
    """How often the worker compares the members with a full evaluation."""
    confirm_every_seconds: Annotated[float, Field(gt=0)] = 1.0
    """How often the worker looks for erasures that it has to carry out and confirm."""
    look_for_drift_every_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How often the worker looks for target profiles that nobody has checked on this business day."""
