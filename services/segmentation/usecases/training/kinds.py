"""The kinds of models there are."""

from services.segmentation.usecases.training.churn import CHURN
from services.segmentation.usecases.training.clv import CLV
from services.segmentation.usecases.training.ensemble import ENSEMBLE
from services.segmentation.usecases.training.framework import Kind
from services.segmentation.usecases.training.kmeans import KMEANS
from services.segmentation.usecases.training.propensity import PROPENSITY
from services.segmentation.usecases.training.rfm import RFM
from services.segmentation.usecases.training.tactical import TACTICAL
from shared.contracts.segmentation.models import ModelKind

KINDS: dict[ModelKind, Kind] = {
    ModelKind.rfm: RFM,
    ModelKind.kmeans: KMEANS,
    ModelKind.ensemble: ENSEMBLE,
    ModelKind.tactical: TACTICAL,
    ModelKind.churn: CHURN,
    ModelKind.propensity: PROPENSITY,
    ModelKind.clv: CLV,
}
