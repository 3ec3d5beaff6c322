"""Staff of the bank."""

from typing import Annotated

from fastapi import Depends, Query, Response

from services.customer.api.access import CodePath, RegistryRead, RegistryWrite, optional_version
from services.customer.models import Staff
from services.customer.queries import organisation as queries
from services.customer.usecases import organisation as usecases
from shared.contracts.base import OrgPath, Page
from shared.contracts.customer import StaffRole, StaffView, StaffWrite
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, set_etag

router = Router(tags=["organisation"])


@router.put("/staff/{code}", responses=problem_responses(404, 409, 412, 428))
async def put_staff(
    session: Session,
    principal: RegistryWrite,
    code: CodePath,
    body: StaffWrite,
    response: Response,
    expected: Annotated[int | None, Depends(optional_version)],
) -> StaffView:
    """Create a member of staff, or replace (If-Match). The same content again changes nothing.

    Who still looks after customers cannot be made inactive: hand them over first.
    """
    row = await usecases.put_staff(session, principal, code, body, expected)
    set_etag(response, row.version)
    return queries.staff_view(row)


@router.get("/staff/{code}", responses=problem_responses(404))
async def get_staff(
    session: Session, principal: RegistryRead, code: CodePath, response: Response
) -> StaffView:
    """One member of staff of your organisation."""
    view = await queries.staff(session, code)
    set_etag(response, view.version)
    return view


@router.get("/staff", responses=problem_responses(400))
async def list_staff(
    session: Session,
    principal: RegistryRead,
    page: PageParams,
    org: Annotated[OrgPath | None, Query(description="Of this unit and those below it")] = None,
    role: Annotated[StaffRole | None, Query(description="With this role only")] = None,
) -> Page[StaffView]:
    """The staff you see, by code."""
    return await paginate(
        session, queries.staff_of(org, role), [Staff.code], page, lambda row: queries.staff_view(row[0])
    )
