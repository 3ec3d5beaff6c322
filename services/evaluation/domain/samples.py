"""Outcomes whose effect does not follow from moments: all values of each arm."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.evaluation.domain.breakdown import HOLD_OUT
from services.evaluation.domain.effect import NoEffect
from services.evaluation.domain.quantile import quantile_effect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from services.evaluation.domain.effect import Effect
    from shared.contracts.drawing import DrawnUnit


@dataclass(frozen=True, slots=True, eq=False)
class Quantiles:
    """The `q` quantile is asked for; `values` by arm (hold-out: ''), ascending, in the metric's unit.

    `unit` is what was drawn by lot.
    """

    q: float
    values: Mapping[str, NDArray[np.float64]]
    unit: DrawnUnit = "customer"

    def effect(self, arm: str | None, alpha: float) -> Effect | NoEffect:
        """One arm, or all treated arms together, against the hold-out. Ranks take every value for a piece of
        evidence of its own, which customers of one manager are not.
        """
        if self.unit != "customer":
            return NoEffect(
                "clustered", f"a {self.unit} was drawn as a whole: quantiles are compared by customer only"
            )
        return quantile_effect(self._of(arm), self._of(HOLD_OUT), self.q, alpha)

    def _of(self, arm: str | None) -> NDArray[np.float64]:
        if arm is not None:
            return self.values.get(arm, np.zeros(0))
        treated = [values for name, values in self.values.items() if name != HOLD_OUT]
        return np.concatenate(treated) if treated else np.zeros(0)

    def digest(self) -> str:
        content = hashlib.sha256(repr(self.q).encode())
        for arm in sorted(self.values):
            content.update(f"\0{arm}\0".encode() + self.values[arm].tobytes())
        return content.hexdigest()
