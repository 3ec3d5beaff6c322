"""The segmentation service: see the customers."""

from services.segmentation.api import features, members, models, segments
from services.segmentation.jobs import TASKS
from services.segmentation.settings import SegmentationSettings
from services.segmentation.usecases.evaluation import keep_evaluated
from services.segmentation.usecases.feed import EVENTS, STREAM, CustomerFeed, open_store
from shared.service import Feed, Service
from shared.web import create_app

service = Service(
    name="segmentation",
    title="Huanying segmentation",
    description="Features, rule segments with preview and explanation, clusters, members and their history.",
    settings=SegmentationSettings,
    routers=[features.router, segments.router, members.router, models.router],
    tasks=TASKS,
    resources=open_store,
    feeds=[Feed("segmentation", STREAM, EVENTS, lambda runtime: runtime.resource(CustomerFeed))],
    background=[keep_evaluated],
)
app = create_app(service)
