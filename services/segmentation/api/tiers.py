"""Tier schemes, where customers stand, and overrides."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from sqlalchemy import select

from services.segmentation.api.access import Approver, BankStrategist, FeatureStore, Reader, TierMaker
from services.segmentation.models.tier import TierOverride, TierScheme
from services.segmentation.queries import tiers as queries
from services.segmentation.store import reading
from services.segmentation.store.store import Store
from services.segmentation.usecases import tier_overrides
from services.segmentation.usecases.tier_moving import lock_tiers
from services.segmentation.usecases.tier_schemes import create_scheme, edit_scheme
from shared.contracts.base import Page
from shared.contracts.segmentation.tiers import (
    CustomerTiers,
    DecisionRequest,
    OverrideState,
    RejectionRequest,
    TierCounts,
    TierOverrideRequest,
    TierOverrideView,
    TierSchemeCreate,
    TierSchemePatch,
    TierSchemeView,
)
from shared.errors import NotFound
from shared.pagination import PageParams, paginate
from shared.web import IfMatch, Router, Session, check_version, problem_responses, set_etag

router = Router(tags=["tiers"])

SchemeReference = Annotated[
    str, Path(description="Id or key of the scheme", examples=["value-tiers"], max_length=80)
]
CustomerId = Annotated[UUID, Path(description="Id of the customer")]


async def _scheme(session: Session, scheme: SchemeReference) -> TierScheme:
    return await queries.find_scheme(session, scheme)


async def _locked_scheme(session: Session, scheme: SchemeReference) -> TierScheme:
    return await queries.find_scheme(session, scheme, for_update=True)


async def _override(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    override_id: Annotated[UUID, Path(description="Id of the override")],
) -> tuple[TierOverride, UUID]:
    await lock_tiers(session)
    return await queries.find_override(session, store, override_id, principal.org)


NamedScheme = Annotated[TierScheme, Depends(_scheme)]
LockedScheme = Annotated[TierScheme, Depends(_locked_scheme)]
LockedOverride = Annotated[tuple[TierOverride, UUID], Depends(_override)]
"""The override and its customer's id."""


@router.post("/tier-schemes", status_code=201, responses=problem_responses(409))
async def create_tier_scheme(
    session: Session, principal: BankStrategist, body: TierSchemeCreate, response: Response
) -> TierSchemeView:
    """Declare a scheme; `:apply` computes who moves."""
    scheme = await create_scheme(session, principal, body)
    response.headers["Location"] = f"/v1/tier-schemes/{scheme.id}"
    set_etag(response, scheme.revision)
    return queries.scheme_view(scheme)


@router.get("/tier-schemes")
async def list_tier_schemes(session: Session, principal: Reader, page: PageParams) -> Page[TierSchemeView]:
    """Schemes by key."""
    return await paginate(
        session, select(TierScheme), [TierScheme.key], page, lambda row: queries.scheme_view(row[0])
    )


@router.get("/tier-schemes/{scheme}", responses=problem_responses(404))
async def get_tier_scheme(
    session: Session, principal: Reader, scheme: NamedScheme, response: Response
) -> TierSchemeView:
    """One scheme by id or key."""
    set_etag(response, scheme.revision)
    return queries.scheme_view(scheme)


@router.patch("/tier-schemes/{scheme}", responses=problem_responses(404, 412, 428))
async def edit_tier_scheme(
    session: Session,
    principal: BankStrategist,
    scheme: LockedScheme,
    body: TierSchemePatch,
    expected: IfMatch,
    response: Response,
) -> TierSchemeView:
    """Change names or thresholds. Nobody moves before the next `:apply` is approved."""
    check_version(scheme.revision, expected)
    await edit_scheme(session, principal, scheme, body)
    set_etag(response, scheme.revision)
    return queries.scheme_view(scheme)


@router.get("/tier-schemes/{scheme}/counts", responses=problem_responses(404))
async def get_tier_counts(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    scheme: NamedScheme,
    levels: Annotated[int, Query(ge=0, le=7, description="Units so many levels below yours")] = 1,
) -> TierCounts:
    """How many customers of your organisation stand in each tier, by unit."""
    return await queries.tier_counts(session, store, scheme, principal.org, levels)


@router.get("/customers/{customer_id}/tier", responses=problem_responses(404))
async def get_customer_tier(
    session: Session, principal: Reader, store: FeatureStore, customer_id: CustomerId
) -> CustomerTiers:
    """Where the customer stands in every scheme."""
    ordinal = await _ordinal(store, customer_id, principal.org)
    return CustomerTiers(customer_id=customer_id, tiers=await queries.held_tiers(session, ordinal))


@router.put("/customers/{customer_id}/tier-override", responses=problem_responses(404))
async def put_tier_override(
    session: Session,
    principal: TierMaker,
    store: FeatureStore,
    customer_id: CustomerId,
    body: TierOverrideRequest,
) -> TierOverrideView:
    """Propose a tier for a while, with a reason; it holds once somebody else approved it. A proposal that
    is still open for the customer in this scheme is replaced.
    """
    ordinal = await _ordinal(store, customer_id, principal.org)
    scheme = await queries.find_scheme(session, body.scheme)
    override = await tier_overrides.propose_override(session, principal, scheme, ordinal, body)
    return queries.override_view(override, scheme.key, customer_id)


@router.get("/tier-overrides", responses=problem_responses(404))
async def list_tier_overrides(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    page: PageParams,
    scheme: Annotated[str | None, Query(description="Id or key of a scheme", max_length=80)] = None,
    state: Annotated[OverrideState | None, Query(description="Only these")] = None,
) -> Page[TierOverrideView]:
    """Overrides of customers of your organisation, newest first."""
    scheme_id = (await queries.find_scheme(session, scheme)).id if scheme is not None else None
    return await queries.override_page(session, store, principal.org, scheme_id, state, page)


@router.post("/tier-overrides/{override_id}:approve", responses=problem_responses(404, 409))
async def approve_tier_override(
    session: Session,
    principal: Approver,
    store: FeatureStore,
    found: LockedOverride,
    body: DecisionRequest,
) -> TierOverrideView:
    """The tier holds until the override ends. Not by whoever proposed it."""
    override, customer_id = found
    await tier_overrides.approve_override(session, store, principal, override, customer_id, body.comment)
    return await queries.show_override(session, override, customer_id)


@router.post("/tier-overrides/{override_id}:reject", responses=problem_responses(404, 409))
async def reject_tier_override(
    session: Session, principal: Approver, found: LockedOverride, body: RejectionRequest
) -> TierOverrideView:
    """Refuse the proposal, saying why. Not by whoever proposed it."""
    override, customer_id = found
    await tier_overrides.reject_override(session, principal, override, body.comment)
    return await queries.show_override(session, override, customer_id)


@router.post("/tier-overrides/{override_id}:end", responses=problem_responses(404, 409))
async def end_tier_override(
    session: Session, principal: TierMaker, store: FeatureStore, found: LockedOverride
) -> TierOverrideView:
    """End it before its time: the tier from before comes back."""
    override, customer_id = found
    await tier_overrides.end_override(session, store, principal, override, OverrideState.ended)
    return await queries.show_override(session, override, customer_id)


async def _ordinal(store: Store, customer_id: UUID, org: str) -> int:
    ordinal = await store.run(lambda cursor: reading.ordinal_of(cursor, customer_id, org))
    if ordinal is None:
        raise NotFound(f"There is no customer {customer_id} in your organisation.")
    return ordinal
