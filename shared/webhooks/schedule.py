"""When a delivery that failed is tried again. Pure."""

RETRY_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Waits after the first, second, … failure: ten attempts within about three days."""

MAX_RETRY_AFTER_SECONDS = 86_400
JITTER = 0.1
"""Waits are up to a tenth longer, so that endpoints that came back are not hit by everything at once."""


def wait_after(attempts: int, retry_after: float | None = None) -> float | None:
    """Seconds until the next attempt when `attempts` have failed; None when it was the last.

    A receiver's Retry-After makes the wait longer, never shorter, by a day at most.
    """
    if attempts > len(RETRY_SECONDS):
        return None
    asked = min(retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
    return max(float(RETRY_SECONDS[attempts - 1]), asked)
