"""Which events of this service are kept for good: those that the store of evaluations is made of."""

from shared.contracts.events.tier import TierChanged
from shared.told import Kept

KEPT = Kept("segmentation_told", (TierChanged,))
