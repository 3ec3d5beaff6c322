"""Target-customer profiles: declare whom we serve, see whether we do, hear when we wander off."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from sqlalchemy import select

from services.segmentation.api.access import Analyst, FeatureStore, Reader
from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.drift import months
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import TargetAlert, TargetProfile, TargetVersion
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.owned import find_owned, lock_owned, may_change
from services.segmentation.queries.past_members import members_back
from services.segmentation.queries.target_adherence import Outsiders, Totals, outsiders, totals
from services.segmentation.queries.targets import (
    alert_view,
    declared,
    drift_of,
    drift_question,
    drift_series,
    narrower,
    profile_row,
    profiles_with_version,
    show_profile,
    version_row,
)
from services.segmentation.store.store import position
from services.segmentation.usecases import targets as usecase
from services.segmentation.usecases.feed import STREAM
from shared import clock
from shared.contracts.base import OrgPath, Page
from shared.contracts.segmentation.targets import (
    Adherence,
    DriftView,
    OutsiderProfile,
    TargetCheck,
    TargetProfileCreate,
    TargetProfilePatch,
    TargetProfileView,
    TargetVersionView,
)
from shared.contracts.segmentation.targets import TargetAlert as AlertView
from shared.pagination import PageParams, paginate
from shared.web import IfMatch, Rest, Router, Session, check_version, problem_responses, set_etag

router = Router(tags=["target profiles"])

ProfileId = Annotated[UUID, Path(description="Id of the target profile")]
Unit = Annotated[
    OrgPath | None, Query(description="A unit below the profile's; the widest you may see by default")
]
Months = Annotated[int, Query(ge=1, le=36, description="So many calendar months, the present one included")]


async def _profile(session: Session, profile_id: ProfileId) -> TargetProfile:
    return await find_owned(session, TargetProfile, profile_id)


async def _own_profile(session: Session, principal: Analyst, profile_id: ProfileId) -> TargetProfile:
    return await lock_owned(session, principal, TargetProfile, profile_id)


NamedProfile = Annotated[TargetProfile, Depends(_profile)]
OwnProfile = Annotated[TargetProfile, Depends(_own_profile)]


@router.post("/target-profiles", status_code=201)
async def declare_target_profile(
    session: Session, principal: Analyst, body: TargetProfileCreate, response: Response
) -> TargetProfileView:
    """Say whom a unit serves, as a rule in either form, and which shares of it must not be missed."""
    profile = await usecase.declare(session, principal, body)
    response.headers["Location"] = f"/v1/target-profiles/{profile.id}"
    set_etag(response, profile.revision)
    return await show_profile(session, profile)


@router.get("/target-profiles")
async def list_target_profiles(
    session: Session, principal: Reader, page: PageParams
) -> Page[TargetProfileView]:
    """Profiles of your unit, of those below, and of those above: they count for you too. Newest first."""
    return await paginate(
        session, profiles_with_version(), [TargetProfile.id], page, profile_row, descending=True
    )


@router.get("/target-profiles/{profile_id}", responses=problem_responses(404))
async def get_target_profile(
    session: Session, principal: Reader, profile: NamedProfile, response: Response
) -> TargetProfileView:
    """One profile with its newest version."""
    set_etag(response, profile.revision)
    return await show_profile(session, profile)


@router.patch("/target-profiles/{profile_id}", responses=problem_responses(404, 412, 428))
async def change_target_profile(
    session: Session,
    principal: Analyst,
    profile: OwnProfile,
    body: TargetProfilePatch,
    expected: IfMatch,
    response: Response,
) -> TargetProfileView:
    """Another rule or other tolerances make a new version, by which past months are judged too."""
    check_version(profile.revision, expected)
    await usecase.change(session, principal, profile, body)
    set_etag(response, profile.revision)
    return await show_profile(session, profile)


@router.get("/target-profiles/{profile_id}/versions", responses=problem_responses(404))
async def list_target_versions(
    session: Session, principal: Reader, profile: NamedProfile, page: PageParams
) -> Page[TargetVersionView]:
    """What was declared when, newest first."""
    statement = select(TargetVersion).where(TargetVersion.profile_id == profile.id)
    return await paginate(session, statement, [TargetVersion.version], page, version_row, descending=True)


@router.get("/target-profiles/{profile_id}/adherence", responses=problem_responses(404, 409))
async def get_target_adherence(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    profile: NamedProfile,
    rest: Rest,
    org: Unit = None,
) -> Adherence:
    """How many customers, and how much of assets and contribution, are inside now."""
    unit = narrower(profile.org_path, org, principal)
    rule = stored_rule((await declared(session, profile)).sql)
    moment = Moment(clock.now(), clock.ZONE)
    (members,) = await members_back(session, segment_keys(rule), [moment.at])
    catalogue = await load_catalogue(session)
    await rest()
    found, applied = await store.run(
        lambda cursor: (
            totals(cursor, rule, catalogue, members, moment, unit),
            position(cursor, STREAM) or 0,
        )
    )
    return _adherence(profile, unit, moment, applied, found)


def _adherence(profile: TargetProfile, unit: str, moment: Moment, applied: int, found: Totals) -> Adherence:
    earned, earned_inside = found.contribution, found.contribution_inside
    return Adherence(
        profile_id=profile.id,
        version=profile.version,
        org=unit,
        evaluated_at=moment.at,
        stream_position=applied,
        customers=found.customers,
        inside=found.inside,
        unknown=found.unknown,
        share=found.inside / found.customers if found.customers else None,
        aum=found.aum,
        aum_inside=found.aum_inside,
        aum_share=float(found.aum_inside / found.aum) if found.aum > 0 else None,
        contribution=earned,
        contribution_inside=earned_inside,
        contribution_share=float(earned_inside / earned) if earned and earned_inside is not None else None,
    )


@router.get("/target-profiles/{profile_id}/drift", responses=problem_responses(404, 409))
async def get_target_drift(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    profile: NamedProfile,
    rest: Rest,
    count: Annotated[Months, Query(alias="months")] = 12,
    org: Unit = None,
) -> DriftView:
    """Month by month, who comes and whom we contact: the shares inside, with their uncertainty, for a unit
    and those directly below it.
    """
    unit = narrower(profile.org_path, org, principal)
    version = await declared(session, profile)
    asked = await drift_question(session, version, unit, count)
    await rest()
    drift = await drift_of(store, asked)
    return DriftView(
        profile_id=profile.id,
        version=version.version,
        org=unit,
        evaluated_at=drift.now,
        stream_position=drift.stream_position,
        facts_since=drift.found.facts_since,
        campaigns_since=drift.found.campaigns_since,
        series=drift_series(drift, asked.tolerances, unit),
    )


@router.get("/target-profiles/{profile_id}/profile", responses=problem_responses(404, 409))
async def get_outsider_profile(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    profile: NamedProfile,
    rest: Rest,
    count: Annotated[Months, Query(alias="months")] = 3,
    org: Unit = None,
) -> OutsiderProfile:
    """Who comes instead: in which features new customers outside the profile differ from those inside."""
    unit = narrower(profile.org_path, org, principal)
    version = await declared(session, profile)
    rule = stored_rule(version.sql)
    moment = Moment(clock.now(), clock.ZONE)
    periods = months(moment.at, clock.ZONE, count)
    (members,) = await members_back(session, segment_keys(rule), [moment.at])
    catalogue = await load_catalogue(session)
    await rest()
    found: Outsiders = await store.run(
        lambda cursor: outsiders(cursor, rule, catalogue, members, moment, periods, unit)
    )
    return OutsiderProfile(
        profile_id=profile.id,
        version=version.version,
        org=unit,
        evaluated_at=moment.at,
        since=periods[0].first,
        newcomers=found.newcomers,
        outsiders=found.outsiders,
        target=found.target,
        contrasts=found.contrasts,
    )


@router.post("/target-profiles/{profile_id}:check", responses=problem_responses(404, 409))
async def check_target_profile(
    session: Session, principal: Analyst, store: FeatureStore, profile: NamedProfile, rest: Rest
) -> TargetCheck:
    """Look for drift now, and tell of what was not told before; the worker does so once a day."""
    may_change(principal, profile)
    asked = await usecase.to_check(session, profile)
    await rest()
    drift = await drift_of(store, asked)
    own = await lock_owned(session, principal, TargetProfile, profile.id)
    return await usecase.check(session, principal, own, asked, drift)


@router.get("/target-profiles/{profile_id}/alerts", responses=problem_responses(404))
async def list_target_alerts(
    session: Session, principal: Reader, profile: NamedProfile, page: PageParams
) -> Page[AlertView]:
    """What units of your organisation were told, newest first."""
    statement = select(TargetAlert).where(TargetAlert.profile_id == profile.id)
    return await paginate(
        session, statement, [TargetAlert.id], page, lambda row: alert_view(row[0]), descending=True
    )
