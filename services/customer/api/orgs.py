"""The organisation tree."""

from typing import Annotated

from fastapi import Depends, Query, Response

from services.customer.api.access import OrgCodePath, RegistryRead, RegistryWrite, optional_version
from services.customer.models import OrgUnit
from services.customer.queries import organisation as queries
from services.customer.usecases import organisation as usecases
from shared.contracts.base import OrgPath, Page
from shared.contracts.customer import OrgView, OrgWrite
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, set_etag

router = Router(tags=["organisation"])


@router.put("/orgs/{code}", responses=problem_responses(404, 412, 428))
async def put_org(
    session: Session,
    principal: RegistryWrite,
    code: OrgCodePath,
    body: OrgWrite,
    response: Response,
    expected: Annotated[int | None, Depends(optional_version)],
) -> OrgView:
    """Create a unit below an existing parent, or replace it (If-Match).

    The same content again changes nothing.
    """
    row = await usecases.put_org(session, principal, code, body, expected)
    set_etag(response, row.version)
    return queries.org_view(row)


@router.get("/orgs/{code}", responses=problem_responses(404))
async def get_org(
    session: Session, principal: RegistryRead, code: OrgCodePath, response: Response
) -> OrgView:
    """One unit of your organisation."""
    view = await queries.org(session, code)
    set_etag(response, view.version)
    return view


@router.get("/orgs", responses=problem_responses(400))
async def list_orgs(
    session: Session,
    principal: RegistryRead,
    page: PageParams,
    below: Annotated[OrgPath | None, Query(description="This unit and those below it")] = None,
) -> Page[OrgView]:
    """The units you see, parents before children."""
    return await paginate(
        session, queries.orgs_below(below), [OrgUnit.code], page, lambda row: queries.org_view(row[0])
    )
