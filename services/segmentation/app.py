"""The segmentation service: see the customers."""

from services.segmentation.api import features, ge_matrices, members, models, segments
from services.segmentation.consumers import FEEDS, HANDLERS
from services.segmentation.jobs import TASKS
from services.segmentation.settings import SegmentationSettings
from services.segmentation.usecases.erasures import keep_confirming
from services.segmentation.usecases.evaluation import keep_evaluated
from services.segmentation.usecases.feed import open_store
from shared.service import Service
from shared.web import create_app

service = Service(
    name="segmentation",
    title="Huanying segmentation",
    description="Features, rule segments with preview and explanation, clusters, members and their history.",
    settings=SegmentationSettings,
    routers=[features.router, segments.router, members.router, models.router, ge_matrices.router],
    handlers=HANDLERS,
    tasks=TASKS,
    resources=open_store,
    feeds=FEEDS,
    background=[keep_evaluated, keep_confirming],
)
app = create_app(service)
