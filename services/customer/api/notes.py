"""Need notes, interactions and complaints."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from services.customer.api.access import CustomerRead, CustomerWrite, PersonalRead
from services.customer.api.customers import Reveal, VaultOfProcess
from services.customer.models import Complaint, Interaction, NeedNote
from services.customer.queries import notes as queries
from services.customer.usecases import notes as usecases
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import Code, OrgPath, Page, Timestamp
from shared.contracts.customer.notes import (
    ComplaintKind,
    ComplaintPatch,
    ComplaintView,
    ComplaintWrite,
    InteractionKind,
    InteractionPatch,
    InteractionView,
    InteractionWrite,
    NeedNotePatch,
    NeedNoteView,
    NeedNoteWrite,
    NeedStatus,
)
from shared.errors import Forbidden
from shared.pagination import PageParams, paginate
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["notes"])

NoteId = Annotated[UUID, Path(description="Id of the need note")]
InteractionId = Annotated[UUID, Path(description="Id of the interaction")]
ComplaintId = Annotated[UUID, Path(description="Id of the complaint")]
OfCustomer = Annotated[UUID | None, Query(description="Of this customer and all merged into it")]
OfOrg = Annotated[OrgPath | None, Query(description="Of customers of this unit and those below it")]
OfStaff = Annotated[Code | None, Query(description="In the care of this member of staff")]
DueUntil = Annotated[date | None, Query(description="Due on this day or before")]


@router.post("/need-notes", status_code=201, responses=problem_responses(409))
async def create_need_note(
    session: Session, principal: CustomerWrite, vault: VaultOfProcess, body: NeedNoteWrite, response: Response
) -> NeedNoteView:
    """Write down what a customer needs; free text is sealed under the customer's key."""
    note_id = await usecases.create_need_note(session, principal, vault, body)
    view = await queries.need_note(session, vault, note_id, reveal=False)
    set_etag(response, view.version)
    response.headers["Location"] = f"/v1/need-notes/{note_id}"
    return view


@router.get("/need-notes", responses=problem_responses(400))
async def list_need_notes(
    session: Session,
    principal: CustomerRead,
    page: PageParams,
    customer_id: OfCustomer = None,
    org: OfOrg = None,
    staff: OfStaff = None,
    status: Annotated[NeedStatus | None, Query(description="In this state only")] = None,
    due_until: DueUntil = None,
) -> Page[NeedNoteView]:
    """Need notes that meet all conditions, latest first; their texts one at a time."""
    statement = queries.need_notes(
        customer_id=customer_id, org=org, staff=staff, status=status, due_until=due_until
    )
    return await paginate(
        session,
        statement,
        [NeedNote.id],
        page,
        lambda row: queries.need_note_view(row, {}),
        descending=True,
    )


@router.get("/need-notes/{note_id}", responses=problem_responses(404))
async def get_need_note(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    note_id: NoteId,
    response: Response,
    reveal: Reveal = None,
) -> NeedNoteView:
    """One need note; its texts when revealed."""
    _allow(principal, reveal)
    view = await queries.need_note(session, vault, note_id, reveal=reveal is not None)
    if reveal:
        audit(session, principal, "reveal_note", f"need-note/{note_id}")
    set_etag(response, view.version)
    return view


@router.patch("/need-notes/{note_id}", responses=problem_responses(404, 409, 412, 428))
async def change_need_note(
    session: Session,
    principal: CustomerWrite,
    vault: VaultOfProcess,
    note_id: NoteId,
    body: NeedNotePatch,
    expected: IfMatch,
    response: Response,
) -> NeedNoteView:
    """Change the named fields; `status` met or dropped closes it."""
    await usecases.change_need_note(session, principal, vault, note_id, body, expected)
    view = await queries.need_note(session, vault, note_id, reveal=False)
    set_etag(response, view.version)
    return view


@router.post("/interactions", status_code=201, responses=problem_responses(409))
async def record_interaction(
    session: Session,
    principal: CustomerWrite,
    vault: VaultOfProcess,
    body: InteractionWrite,
    response: Response,
) -> InteractionView:
    """Record a conversation; it is in the timeline and counts in segments at once, the note aside."""
    interaction_id = await usecases.record_interaction(session, principal, vault, body)
    view = await queries.interaction(session, vault, interaction_id, reveal=False)
    set_etag(response, view.version)
    response.headers["Location"] = f"/v1/interactions/{interaction_id}"
    return view


@router.get("/interactions", responses=problem_responses(400))
async def list_interactions(
    session: Session,
    principal: CustomerRead,
    page: PageParams,
    customer_id: OfCustomer = None,
    org: OfOrg = None,
    staff: Annotated[Code | None, Query(description="Who talked or took part")] = None,
    kind: Annotated[InteractionKind | None, Query(description="Of this kind only")] = None,
    since: Annotated[Timestamp | None, Query(description="From then on")] = None,
    until: Annotated[Timestamp | None, Query(description="Before then")] = None,
) -> Page[InteractionView]:
    """Conversations recorded here or pushed by partner systems, latest first."""
    statement = queries.interactions(
        customer_id=customer_id, org=org, staff=staff, kind=kind, since=since, until=until
    )
    return await paginate(
        session,
        statement,
        [Interaction.at, Interaction.id],
        page,
        lambda row: queries.interaction_view(row, {}),
        descending=True,
    )


@router.get("/interactions/{interaction_id}", responses=problem_responses(404))
async def get_interaction(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    interaction_id: InteractionId,
    response: Response,
    reveal: Reveal = None,
) -> InteractionView:
    """One conversation; its note when revealed."""
    _allow(principal, reveal)
    view = await queries.interaction(session, vault, interaction_id, reveal=reveal is not None)
    if reveal:
        audit(session, principal, "reveal_note", f"interaction/{interaction_id}")
    set_etag(response, view.version)
    return view


@router.patch("/interactions/{interaction_id}", responses=problem_responses(404, 409, 412, 428))
async def change_interaction(
    session: Session,
    principal: CustomerWrite,
    vault: VaultOfProcess,
    interaction_id: InteractionId,
    body: InteractionPatch,
    expected: IfMatch,
    response: Response,
) -> InteractionView:
    """Correct who took part or the note."""
    await usecases.change_interaction(session, principal, vault, interaction_id, body, expected)
    view = await queries.interaction(session, vault, interaction_id, reveal=False)
    set_etag(response, view.version)
    return view


@router.post("/complaints", status_code=201, responses=problem_responses(409))
async def file_complaint(
    session: Session,
    principal: CustomerWrite,
    vault: VaultOfProcess,
    body: ComplaintWrite,
    response: Response,
) -> ComplaintView:
    """Take down a complaint or feedback of a customer."""
    complaint_id = await usecases.file_complaint(session, principal, vault, body)
    view = await queries.complaint(session, vault, complaint_id, reveal=False)
    set_etag(response, view.version)
    response.headers["Location"] = f"/v1/complaints/{complaint_id}"
    return view


@router.get("/complaints", responses=problem_responses(400))
async def list_complaints(
    session: Session,
    principal: CustomerRead,
    page: PageParams,
    customer_id: OfCustomer = None,
    org: OfOrg = None,
    staff: OfStaff = None,
    kind: Annotated[ComplaintKind | None, Query(description="Of this kind only")] = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="Unresolved only, or resolved only")
    ] = None,
    due_until: DueUntil = None,
) -> Page[ComplaintView]:
    """Complaints and feedback, filed here or pushed by partner systems, latest first."""
    statement = queries.complaints(
        customer_id=customer_id, org=org, staff=staff, kind=kind, is_open=is_open, due_until=due_until
    )
    return await paginate(
        session,
        statement,
        [Complaint.filed_at, Complaint.id],
        page,
        lambda row: queries.complaint_view(queries.as_complaint(row), {}),
        descending=True,
    )


@router.get("/complaints/{complaint_id}", responses=problem_responses(404))
async def get_complaint(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    complaint_id: ComplaintId,
    response: Response,
    reveal: Reveal = None,
) -> ComplaintView:
    """One complaint; its text when revealed."""
    _allow(principal, reveal)
    view = await queries.complaint(session, vault, complaint_id, reveal=reveal is not None)
    if reveal:
        audit(session, principal, "reveal_note", f"complaint/{complaint_id}", org_path=view.org)
    set_etag(response, view.version)
    return view


@router.patch("/complaints/{complaint_id}", responses=problem_responses(404, 409, 412, 428))
async def change_complaint(
    session: Session,
    principal: CustomerWrite,
    vault: VaultOfProcess,
    complaint_id: ComplaintId,
    body: ComplaintPatch,
    expected: IfMatch,
    response: Response,
) -> ComplaintView:
    """Change who sees to it, until when, how severe it is, or its text."""
    await usecases.change_complaint(session, principal, vault, complaint_id, body, expected)
    view = await queries.complaint(session, vault, complaint_id, reveal=False)
    set_etag(response, view.version)
    return view


@router.post("/complaints/{complaint_id}:resolve", responses=problem_responses(404, 409))
async def resolve_complaint(
    session: Session, principal: CustomerWrite, vault: VaultOfProcess, complaint_id: ComplaintId
) -> ComplaintView:
    """It is settled; 409 when it was already."""
    await usecases.resolve_complaint(session, principal, complaint_id)
    return await queries.complaint(session, vault, complaint_id, reveal=False)


def _allow(principal: Principal, reveal: str | None) -> None:
    if reveal and not principal.has(*PersonalRead):
        raise Forbidden("Free text about a customer is for its managers and branch heads")
