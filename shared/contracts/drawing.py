"""What is drawn by lot when a campaign decides whom to treat."""

from typing import Literal

DrawnUnit = Literal["customer", "manager", "branch"]
"""Of a manager or a branch all customers get the same arm, or all are held out."""
