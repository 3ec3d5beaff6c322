"""What contacts cost."""

from decimal import Decimal

_CENT = Decimal("0.01")


def task_cost(minutes: float | Decimal, per_minute: Decimal) -> Decimal:
    """Of a manager's time, to the cent."""
    return (Decimal(str(minutes)) * per_minute).quantize(_CENT)
