"""Tables of the segmentation service. Segments and models belong to the whole bank."""

from services.segmentation.models.erasure import Erasure
from services.segmentation.models.segment import (
    EvaluationState,
    Membership,
    MembershipDelta,
    Segment,
    SegmentVersion,
)
from services.segmentation.models.training import Model, ModelCluster, ModelInput, ModelRun, ModelScore

__all__ = [
    "Erasure",
    "EvaluationState",
    "Membership",
    "MembershipDelta",
    "Model",
    "ModelCluster",
    "ModelInput",
    "ModelRun",
    "ModelScore",
    "Segment",
    "SegmentVersion",
]
