"""Configuration of the evaluation service beyond what every service has."""

from typing import Annotated

from pydantic import Field

from services.evaluation.domain.health import USUAL, Limits
from shared.settings import Settings


class EvaluationSettings(Settings):
    store_file: str = "evaluation.duckdb"
    """Exposures and outcomes, under `data_dir`. Every process needs a file of its own."""
    store_memory: str = "1GB"
    store_threads: Annotated[int, Field(ge=1)] = 2
    catch_up_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How long an evaluation waits for the store to reach the streams' ends before it fails."""
    due_every_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How often the worker looks for campaigns whose outcome windows have closed."""
    confirm_every_seconds: Annotated[float, Field(gt=0)] = 1.0
    """How often the worker looks for erasures that it has to carry out and confirm."""
    analyse_max_bytes: Annotated[int, Field(gt=0)] = 512 * 1024**2
    """The largest table that is taken for analysis by the API; larger ones are analysed in a shell."""
    analyse_max_rows: Annotated[int, Field(gt=0)] = 50_000_000
    analyse_memory: str = "1GB"
    """The most memory one analysis takes for its table."""
    analyse_at_once: Annotated[int, Field(ge=1)] = 1
    fill_every_seconds: Annotated[float, Field(gt=0)] = 15.0
    """How often a store without the balances of before asks the customer service for them."""
    late_data_hours: Annotated[float, Field(ge=0)] = 24.0
    """How long after the last outcome window the final evaluation waits for events that arrive late."""
    most_mixed: Annotated[float, Field(ge=0, le=1)] = USUAL.mixed
    """Share of customers in several arms, or of the hold-out contacted, above which a verdict is withheld."""
    most_globally_contacted: Annotated[float, Field(ge=0, le=1)] = USUAL.globally
    """Share of the global hold-out contacted by any campaign, above which a verdict is withheld; 1: never."""
    most_late: Annotated[float, Field(ge=0, le=1)] = USUAL.late
    """Share of outcomes that came after an evaluation that should have had them, above which the next one's
    verdict is withheld."""

    @property
    def limits(self) -> Limits:
        return Limits(self.most_mixed, self.most_globally_contacted, self.most_late)
