"""Tables of the segmentation service. Segments and models belong to the whole bank."""

from services.segmentation.models.erasure import Erasure
from services.segmentation.models.feature import DefinedFeature
from services.segmentation.models.ge_matrix import GeMatrix, GeScore
from services.segmentation.models.insight import Insight, InsightComment, InsightTest, InsightVote
from services.segmentation.models.prediction import ChurnWarning, LifeCycleScheme
from services.segmentation.models.segment import (
    EvaluationState,
    Membership,
    MembershipDelta,
    Segment,
    SegmentVersion,
    UnseenChange,
)
from services.segmentation.models.snapshot import SegmentSnapshot
from services.segmentation.models.target import TargetAlert, TargetProfile, TargetVersion
from services.segmentation.models.tier import TierList, TierMoves, TierOverride, TierScheme, TierStanding
from services.segmentation.models.told import SegmentationTold
from services.segmentation.models.training import Model, ModelCluster, ModelInput, ModelRun, ModelScore

__all__ = [
    "ChurnWarning",
    "DefinedFeature",
    "Erasure",
    "EvaluationState",
    "GeMatrix",
    "GeScore",
    "Insight",
    "InsightComment",
    "InsightTest",
    "InsightVote",
    "LifeCycleScheme",
    "Membership",
    "MembershipDelta",
    "Model",
    "ModelCluster",
    "ModelInput",
    "ModelRun",
    "ModelScore",
    "Segment",
    "SegmentSnapshot",
    "SegmentVersion",
    "SegmentationTold",
    "TargetAlert",
    "TargetProfile",
    "TargetVersion",
    "TierList",
    "TierMoves",
    "TierOverride",
    "TierScheme",
    "TierStanding",
    "UnseenChange",
]
