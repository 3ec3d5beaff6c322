"""Colours of a chart: those of the page it stands in, or fixed ones for paper."""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "bad", "warn", "muted", "accent"]


@dataclass(frozen=True)
class Palette:
    text: str
    muted: str
    line: str
    card: str
    accent: str
    hold_out: str
    good: str
    bad: str
    warn: str

    def of(self, tone: Tone) -> str:
        found: str = getattr(self, tone)
        return found


SCREEN = Palette(
    text="var(--text)",
    muted="var(--muted)",
    line="var(--line)",
    card="var(--card)",
    accent="var(--accent)",
    hold_out="var(--hold-out)",
    good="var(--good)",
    bad="var(--bad)",
    warn="var(--warn)",
)
"""Follows the page's style sheet, light or dark."""

PRINT = Palette(
    text="#1b2836",
    muted="#5e6c7d",
    line="#dfe5eb",
    card="#ffffff",
    accent="#0d6a8a",
    hold_out="#8b98a6",
    good="#1d7a5f",
    bad="#b23a2c",
    warn="#9a6b0c",
)
"""The renderer of PDF knows no variables inside a picture."""


def tone_of(low: float, high: float, *, higher_is_better: bool = True) -> Tone:
    """What an interval says: good or bad only where it leaves out zero."""
    if low <= 0 <= high:
        return "muted"
    return "good" if (low > 0) == higher_is_better else "bad"
