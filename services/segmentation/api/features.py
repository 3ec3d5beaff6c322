"""The feature catalogue: built-in features, and those that people define."""

from typing import Annotated

from fastapi import Path, Query, Response

from services.segmentation.api.access import BankStrategist, FeatureStore, Reader, Strategist
from services.segmentation.models import DefinedFeature
from services.segmentation.queries import features as query
from services.segmentation.usecases import features as usecase
from services.segmentation.usecases.feature_users import show_feature
from shared.contracts.base import Page
from shared.contracts.segmentation import FeatureView
from shared.contracts.segmentation.features import (
    FeatureCreate,
    FeatureDetail,
    FeaturePatch,
    FeatureTrial,
    FeatureTrialView,
)
from shared.web import IfMatch, Router, Session, check_version, problem_responses, set_etag

router = Router(tags=["features"])
FeatureReference = Annotated[str, Path(examples=["net_inflow_30d"], max_length=80)]


@router.get("/features")
async def list_features(
    session: Session,
    principal: Reader,
    archived: Annotated[bool, Query(description="Archived ones too")] = False,  # noqa: FBT002 - a query parameter
) -> Page[FeatureView]:
    """Everything a rule, a profile or a model may ask about a customer."""
    return Page(items=await query.list_features(session, archived=archived))


@router.post("/features", status_code=201, responses=problem_responses(409))
async def create_feature(
    session: Session, principal: BankStrategist, body: FeatureCreate, response: Response
) -> FeatureDetail:
    """A feature of your own, by an expression over others. Rules, profiles and models may use it at once."""
    created = await usecase.create_feature(session, principal, body)
    response.headers["Location"] = f"/v1/features/{created.key}"
    return await _shown(session, created, response)


@router.post("/features:preview")
async def preview_feature(
    session: Session, principal: Strategist, store: FeatureStore, body: FeatureTrial
) -> FeatureTrialView:
    """What an expression gives for the customers of your scope; nothing is kept."""
    catalogue = await query.load_catalogue(session)
    tried = usecase.feature_on_trial(body.expression, catalogue)
    return await query.try_feature(store, catalogue, tried, principal.org)


@router.get("/features/{feature}", responses=problem_responses(404))
async def get_feature(
    session: Session, principal: Reader, feature: FeatureReference, response: Response
) -> FeatureDetail:
    """One feature: type, unit, expression, lineage, freshness, and what is made of it."""
    found = await show_feature(session, feature)
    if not found.built_in:
        set_etag(response, (await query.find_feature(session, feature)).revision)
    return found


@router.patch("/features/{feature}", responses=problem_responses(404, 409, 412, 428))
async def edit_feature(
    session: Session,
    principal: BankStrategist,
    feature: FeatureReference,
    body: FeaturePatch,
    version: IfMatch,
    response: Response,
) -> FeatureDetail:
    """Name, description and unit at any time; the expression while nothing is made of the feature."""
    found = await query.find_feature(session, feature, for_update=True)
    check_version(found.revision, version)
    await usecase.edit_feature(session, principal, found, body)
    return await _shown(session, found, response)


@router.delete("/features/{feature}", responses=problem_responses(404, 409, 412, 428))
async def archive_feature(
    session: Session,
    principal: BankStrategist,
    feature: FeatureReference,
    version: IfMatch,
    response: Response,
) -> FeatureDetail:
    """Takes it out of use. Refused, naming them, while anything is made of it."""
    found = await query.find_feature(session, feature, for_update=True)
    check_version(found.revision, version)
    await usecase.archive_feature(session, principal, found)
    return await _shown(session, found, response)


async def _shown(session: Session, feature: DefinedFeature, response: Response) -> FeatureDetail:
    set_etag(response, feature.revision)
    return await show_feature(session, feature.key)
