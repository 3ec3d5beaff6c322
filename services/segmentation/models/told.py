"""What the streams forget of tiers."""

from shared.db import Base
from shared.told import ToldColumns


class SegmentationTold(ToldColumns, Base):
    """Moves between tiers as they were published: ids, no personal data."""

    __tablename__ = "segmentation_told"
