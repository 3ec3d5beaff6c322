"""Customers: create, find, read, change, and everything about one at once."""

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Header, Path, Query, Response

from services.customer.api.access import (
    CustomerRead,
    CustomerWrite,
    PersonalRead,
)
from services.customer.api.moments import AsOf
from services.customer.domain.vault import Vault
from services.customer.queries import customers as queries
from services.customer.queries.history import customer_as_of
from services.customer.queries.name_search import list_by_name
from services.customer.queries.overview import overview
from services.customer.queries.segments import segments_of, tiers_of
from services.customer.queries.timeline import timeline
from services.customer.usecases import customers as usecases
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import Code, OrgPath, Page
from shared.contracts.customer import (
    Customer360,
    CustomerCreate,
    CustomerPatch,
    CustomerView,
    ResolveRequest,
    ResolveResult,
    SourceIdentity,
    SourceKey,
    SourceName,
    TimelineItem,
)
from shared.errors import FieldError, Forbidden, Unprocessable
from shared.pagination import PageParams
from shared.web import CurrentRuntime, IfMatch, Router, Session, problem_responses, resource, set_etag

router = Router(tags=["customers"])

CustomerId = Annotated[UUID, Path(description="Id of the customer")]
_ASKED = {"segments": segments_of, "tier": tiers_of}
VaultOfProcess = Annotated[Vault, resource(Vault)]
Reveal = Annotated[
    Literal["pii"] | None,
    Query(
        description="`pii`: personal data unmasked, for managers and branch heads; every such read is audited"
    ),
]


@router.post("/customers", status_code=201, responses=problem_responses(409))
async def create_customer(
    session: Session,
    principal: CustomerWrite,
    vault: VaultOfProcess,
    body: CustomerCreate,
    response: Response,
) -> CustomerView:
    """Create a customer with its identities. Events that were parked for them are applied at once."""
    customer_id = await usecases.create_customer(session, principal, vault, body)
    view = await queries.customer_view(session, vault, customer_id)
    set_etag(response, view.version)
    response.headers["Location"] = f"/v1/customers/{customer_id}"
    return view


@router.get("/customers", responses=problem_responses(400))
async def list_customers(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    page: PageParams,
    org: Annotated[OrgPath | None, Query(description="Of this unit and those below it")] = None,
    manager: Annotated[Code | None, Query(description="Whose primary or backup manager this is")] = None,
    source: Annotated[SourceName | None, Query(description="With `source_id`: of this source system")] = None,
    source_id: Annotated[SourceKey | None, Query(description="Id in the source system")] = None,
    phone: Annotated[
        str | None, Query(max_length=40, description="Exact; for managers and branch heads")
    ] = None,
    id_number: Annotated[str | None, Query(max_length=40, description="Exact; as `phone`")] = None,
    name: Annotated[
        str | None,
        Query(max_length=100, description="Part of it: a Chinese character or three letters; as `phone`"),
    ] = None,
) -> Page[CustomerView]:
    """Customers of your organisation that meet all given conditions, in order of creation; masked.

    What was merged is not listed; it is found, by its own numbers and names too, as its survivor.
    """
    if phone is not None or id_number is not None or name is not None:
        require_personal_read(principal)
    if (source is None) != (source_id is None):
        missing = "source" if source is None else "source_id"
        raise Unprocessable(
            "Give source and source_id together", errors=[FieldError(f"/query/{missing}", "is required")]
        )
    identity = SourceIdentity(source=source, source_id=source_id) if source and source_id else None
    statement = queries.matching(
        vault, org=org, manager=manager, identity=identity, phone=phone, id_number=id_number
    )
    if name is not None:
        return await list_by_name(session, vault, statement, name, page)
    return await queries.list_customers(session, vault, statement, page)


@router.post("/customers:resolve")
async def resolve_customers(session: Session, principal: CustomerRead, body: ResolveRequest) -> ResolveResult:
    """Customer ids for source ids, in the same order; null where you see no such customer."""
    return ResolveResult(items=await queries.resolve(session, body.items))


@router.get("/customers/{customer_id}", responses=problem_responses(404))
async def get_customer(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    response: Response,
    as_of: AsOf,
    reveal: Reveal = None,
) -> CustomerView:
    """One customer; personal data masked unless revealed. `as_of`: as the file had it then, without an ETag.

    Identities are today's, and personal data of an erased customer is gone from every version.
    """
    if reveal:
        require_personal_read(principal)
    if as_of is None:
        view = await queries.customer_view(session, vault, customer_id, reveal=reveal is not None)
        set_etag(response, view.version)
    else:
        view = await customer_as_of(session, vault, customer_id, as_of, reveal=reveal is not None)
    if reveal:
        audit(session, principal, "reveal_pii", f"customer/{customer_id}", org_path=view.org)
    return view


@router.patch("/customers/{customer_id}", responses=problem_responses(404, 409, 412, 428))
async def change_customer(
    session: Session,
    principal: CustomerWrite,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    body: CustomerPatch,
    expected: IfMatch,
    response: Response,
) -> CustomerView:
    """Change the named fields. Consents are changed by channel; channels not named keep theirs."""
    await usecases.change_customer(session, principal, vault, customer_id, body, expected)
    view = await queries.customer_view(session, vault, customer_id)
    set_etag(response, view.version)
    return view


@router.get("/customers/{customer_id}/360", response_model=Customer360, responses=problem_responses(404))
async def get_customer_360(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    runtime: CurrentRuntime,
    customer_id: CustomerId,
    include: Annotated[
        list[Literal["segments", "tier"]] | None,
        Query(max_length=2, description="Asked of segmentation in your name"),
    ] = None,
    authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Profile, owners, holdings, value, latest events and contacts, next dates: one call, masked."""
    wanted = {name: ask for name, ask in _ASKED.items() if name in (include or ())}
    answers = await asyncio.gather(*(ask(runtime, customer_id, authorization) for ask in wanted.values()))
    told = dict(zip(wanted, answers, strict=True))
    found = await overview(session, vault, customer_id, told)
    # The finished JSON: parsing it into models only to write it again would double the cost of the read.
    response = Response(found.body, media_type="application/json")
    set_etag(response, found.version)
    return response


@router.get("/customers/{customer_id}/timeline", responses=problem_responses(400, 404))
async def get_customer_timeline(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    page: PageParams,
) -> Page[TimelineItem]:
    """Business events and campaign contacts, newest first."""
    return await timeline(session, vault, customer_id, page)


def require_personal_read(principal: Principal) -> None:
    if not principal.has(*PersonalRead):
        raise Forbidden("Personal data is for the customer's managers and branch heads")
