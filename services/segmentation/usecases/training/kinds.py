"""The kinds of models there are."""

from services.segmentation.usecases.training.framework import Kind
from services.segmentation.usecases.training.kmeans import KMEANS
from shared.contracts.segmentation.models import ModelKind

KINDS: dict[ModelKind, Kind] = {ModelKind.kmeans: KMEANS}
