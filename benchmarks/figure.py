"""One figure of a benchmark: a ratio against a reference of the same run, and whether it is good enough."""

from typing import Any


def at_most(what: str, measured: str, reference: str, ratio: float, target: float) -> dict[str, Any]:
    """A figure that is good while it is small; `measured` and `reference` say what the ratio is of."""
    return _figure(what, measured, reference, ratio, f"<= {target:g}", met=ratio <= target)


def at_least(what: str, measured: str, reference: str, ratio: float, target: float) -> dict[str, Any]:
    """A figure that is good while it is large."""
    return _figure(what, measured, reference, ratio, f">= {target:g}", met=ratio >= target)


def _figure(
    what: str, measured: str, reference: str, ratio: float, target: str, *, met: bool
) -> dict[str, Any]:
    return {
        "what": what,
        "measured": measured,
        "reference": reference,
        "ratio": ratio,
        "target": target,
        "met": met,
    }
