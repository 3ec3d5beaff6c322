"""Whether predictions came true, as far as chance lets one see."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.evaluation.domain.effect import Interval

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its symmetric normal interval at level 1 − α; `alpha` says which."""

    value: float
    interval: Interval
    alpha: float

    @property
    def error(self) -> float:
        low, high = self.interval
        return float((high - low) / 2 / stats.norm.ppf(1 - self.alpha / 2))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Predicted beside realised. Both are uncertain: `inside` says that their difference may be chance."""

    inside: bool
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    n: int
    inside: float | None
    mean_ratio: float | None


def compared(predicted: Estimate, realised: Estimate) -> Outcome:
    """The 95 % interval of realised − predicted, of two independent rounds, holds 0 or not."""
    margin = float(stats.norm.ppf(0.5 + LEVEL / 2)) * hypot(predicted.error, realised.error)
    ratio = realised.value / predicted.value if predicted.value else None
    return Outcome(abs(realised.value - predicted.value) <= margin, ratio)


def summarised(found: Sequence[Outcome]) -> Summary:
    """Share inside, 0.95 as it should be, and mean ratio, 1 as it should be; of none, nothing."""
    ratios = [each.ratio for each in found if each.ratio is not None]
    return Summary(
        len(found),
        float(np.mean([each.inside for each in found])) if found else None,
        float(np.mean(ratios)) if ratios else None,
    )
