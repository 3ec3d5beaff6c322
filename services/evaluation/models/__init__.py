"""Tables of the evaluation service. Outcomes are not here: they are in the columnar store."""

from services.evaluation.models.erasure import Erasure
from services.evaluation.models.metric import MetricRow
from services.evaluation.models.recommendation import RecommendationRow
from services.evaluation.models.registration import Course, CourseChange, Registration
from services.evaluation.models.response_model import ResponseModelRow
from services.evaluation.models.result import BranchEffect, CellBlock, Result, ResultCell
from services.evaluation.models.scorecard import ScorecardRow, ScorecardSubject
from services.evaluation.models.service_quality import (
    QualityIndexRow,
    QualityModelRow,
    QualityObservation,
    QualityRunRow,
)

__all__ = [
    "BranchEffect",
    "CellBlock",
    "Course",
    "CourseChange",
    "Erasure",
    "MetricRow",
    "QualityIndexRow",
    "QualityModelRow",
    "QualityObservation",
    "QualityRunRow",
    "RecommendationRow",
    "Registration",
    "ResponseModelRow",
    "Result",
    "ResultCell",
    "ScorecardRow",
    "ScorecardSubject",
]
