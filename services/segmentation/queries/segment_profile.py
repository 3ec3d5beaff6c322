"""What makes the members of a segment different."""

import duckdb
import numpy as np
from pyroaring import BitMap

from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.models import Segment
from services.segmentation.queries.category_shares import category_shares
from services.segmentation.queries.profile import PROFILED, contrast_views, feature_matrix
from services.segmentation.store.bitmaps import to_array
from shared import clock
from shared.contracts.segmentation import SegmentProfile


def segment_profile(
    cursor: duckdb.DuckDBPyConnection, segment: Segment, members: BitMap, org: str
) -> SegmentProfile:
    """Members beside everybody, within `org`."""
    moment = Moment(clock.now(), clock.ZONE)
    ordinals, matrix = feature_matrix(cursor, PROFILED, moment, org)
    group = np.isin(ordinals, to_array(members))
    return SegmentProfile(
        segment_id=segment.id,
        key=segment.key,
        size=int(group.sum()),
        of=len(ordinals),
        evaluated_at=moment.at,
        contrasts=contrast_views(matrix, group),
        categories=category_shares(cursor, ordinals[group], moment, org),
    )
