"""The copy of everything held about a person, for the person."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from services.customer.api.access import SubjectRights
from services.customer.api.customers import CustomerId, VaultOfProcess
from services.customer.models import SubjectExport
from services.customer.settings import CustomerSettings
from services.customer.usecases.subject_exports import fetch_export, request_export
from shared.contracts.customer.erasure import SubjectExportView
from shared.errors import NotFound
from shared.web import Router, Session, problem_responses, resource

router = Router(tags=["rights of the person"])

ExportId = Annotated[UUID, Path(description="Id of the export")]


@router.post("/customers/{customer_id}:export", status_code=202, responses=problem_responses(404, 409))
async def export_customer(
    session: Session,
    principal: SubjectRights,
    settings: Annotated[CustomerSettings, resource(CustomerSettings)],
    customer_id: CustomerId,
    response: Response,
) -> SubjectExportView:
    """Make a copy of everything held about a person, of all files merged into one, unmasked.

    A job makes it; it waits sealed, and only whoever asked for it can fetch it, once.
    """
    export = await request_export(session, principal, settings, customer_id)
    response.headers["Location"] = f"/v1/jobs/{export.job_id}"
    return _view(export)


@router.get("/subject-exports/{export_id}", responses=problem_responses(404))
async def get_subject_export(
    session: Session, principal: SubjectRights, export_id: ExportId
) -> SubjectExportView:
    """Whether the copy is ready, and until when."""
    export = await session.get(SubjectExport, export_id)
    if export is None:
        raise NotFound("There is no such export in your organisation")
    return _view(export)


@router.get(
    "/subject-exports/{export_id}/file",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {"schema": {"type": "object"}}}},
        **problem_responses(404, 409),
    },
)
async def get_subject_export_file(
    session: Session, principal: SubjectRights, vault: VaultOfProcess, export_id: ExportId
) -> Response:
    """The copy as JSON. Handing it out is audited and forgets it: the second time answers 409."""
    package = await fetch_export(session, principal, vault, export_id)
    headers = {
        "Content-Disposition": f'attachment; filename="subject-{export_id}.json"',
        "Cache-Control": "no-store",
    }
    return Response(package, media_type="application/json", headers=headers)


def _view(export: SubjectExport) -> SubjectExportView:
    names = SubjectExportView.model_fields
    return SubjectExportView.model_validate({name: getattr(export, name) for name in names})
