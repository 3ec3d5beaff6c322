"""The feature catalogue."""

from typing import Annotated

from fastapi import Path

from services.segmentation.api.access import Reader
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Feature
from services.segmentation.domain.rules.windows import feature_freshness
from shared.contracts.base import LocalText, Page
from shared.contracts.segmentation import FeatureView
from shared.errors import NotFound
from shared.web import Router, problem_responses

router = Router(tags=["features"])


@router.get("/features")
async def list_features(principal: Reader) -> Page[FeatureView]:
    """Everything a rule, a profile or a model may ask about a customer."""
    return Page(items=[_view(feature) for feature in BUILT_IN])


@router.get("/features/{feature}", responses=problem_responses(404))
async def get_feature(
    principal: Reader, feature: Annotated[str, Path(examples=["net_inflow_30d"], max_length=80)]
) -> FeatureView:
    """One feature: type, unit, expression, lineage, freshness."""
    if feature not in BUILT_IN:
        near = BUILT_IN.nearest(feature)
        raise NotFound(f"There is no feature '{feature}'" + (f"; did you mean '{near}'?" if near else "."))
    return _view(BUILT_IN[feature])


def _view(feature: Feature) -> FeatureView:
    return FeatureView(
        key=feature.key,
        name=LocalText(zh=feature.zh, en=feature.en),
        type=feature.type,
        unit=feature.unit,
        expression=feature.expression,
        lineage=feature.lineage,
        freshness=feature_freshness(feature.key, BUILT_IN),
        missing=feature.missing,
    )
