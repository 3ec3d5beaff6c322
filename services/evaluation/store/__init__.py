"""Exposures and outcomes in DuckDB: fed by the streams, read in aggregates, never row by row."""

from services.evaluation.store.desk_feed import DeskFeed
from services.evaluation.store.feed import StoreFeed
from services.evaluation.store.open import Store, open_store
from services.evaluation.store.standing_feed import TierFeed

__all__ = ["DeskFeed", "Store", "StoreFeed", "TierFeed", "open_store"]
