"""Tables of the evaluation service. Outcomes are not here: they are in the columnar store."""

from services.evaluation.models.erasure import Erasure
from services.evaluation.models.metric import MetricRow
from services.evaluation.models.recommendation import RecommendationRow
from services.evaluation.models.registration import Course, Registration
from services.evaluation.models.result import BranchEffect, Result, ResultCell

__all__ = [
    "BranchEffect",
    "Course",
    "Erasure",
    "MetricRow",
    "RecommendationRow",
    "Registration",
    "Result",
    "ResultCell",
]
