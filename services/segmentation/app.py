"""The segmentation service: see the customers."""

from services.segmentation.api import (
    audits,
    churn_warnings,
    comparisons,
    customer_insight,
    exports,
    features,
    ge_matrices,
    insights,
    life_cycle,
    members,
    model_runs,
    models,
    predictions,
    segment_history,
    segments,
    snapshots,
    targets,
    tier_lists,
    tiers,
)
from services.segmentation.consumers import FEEDS, HANDLERS, filled
from services.segmentation.jobs import TASKS
from services.segmentation.queries.told import KEPT
from services.segmentation.settings import SegmentationSettings
from services.segmentation.usecases.audits import keep_audited
from services.segmentation.usecases.engine import open_engine
from services.segmentation.usecases.erasures import keep_confirming
from services.segmentation.usecases.targets import keep_checking
from services.segmentation.usecases.tier_upkeep import keep_tiers
from services.segmentation.usecases.upkeep import keep_evaluated
from shared.service import Service
from shared.web import create_app

service = Service(
    name="segmentation",
    title="Huanying segmentation",
    description="Features, rule segments with preview and explanation, clusters, members and their history.",
    settings=SegmentationSettings,
    routers=[
        features.router,
        tiers.router,
        tier_lists.router,
        comparisons.router,
        segments.router,
        audits.router,
        segment_history.router,
        members.router,
        snapshots.router,
        models.router,
        model_runs.router,
        predictions.router,
        ge_matrices.router,
        targets.router,
        insights.router,
        churn_warnings.router,
        life_cycle.router,
        customer_insight.router,
        exports.router,
    ],
    handlers=HANDLERS,
    tasks=TASKS,
    resources=open_engine,
    keeps=KEPT,
    feeds=FEEDS,
    filled=filled,
    background=[keep_evaluated, keep_audited, keep_confirming, keep_checking, keep_tiers],
)
app = create_app(service)
