"""Materials: texts, pages and files that go with a contact."""

from services.campaign.api.access import BankApprover, BankPlanner, Reader, WordingKeeper
from services.campaign.api.scripts import InState, OfKey
from services.campaign.domain.wording import (
    SAMPLES,
    material_faults,
    material_wording,
    rendered_body,
    sms_lengths,
    variables_of,
)
from services.campaign.queries import catalogue as queries
from services.campaign.queries.compliance import hits_in, lists_in_force
from services.campaign.usecases import wording as usecases
from shared import clock
from shared.contracts.base import Page
from shared.contracts.campaign import CommentRequest, ReasonRequest
from shared.contracts.campaign.materials import MaterialPreview, MaterialView, MaterialWrite
from shared.contracts.campaign.vocabulary import MaterialRef
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["materials"])

_VERB = problem_responses(404, 409)


@router.post("/materials", status_code=201, summary="Write a material's next version")
async def create_material(session: Session, principal: BankPlanner, body: MaterialWrite) -> MaterialView:
    """The first post of a key makes `key@1`, the next `key@2`; no version ever changes.

    HTML has tags of text and links to `https://` only, and values between tags only. Refused as scripts are.
    """
    return await usecases.create_material(session, principal, body)


@router.post("/materials:preview", summary="Preview a material")
async def preview_material(session: Session, principal: Reader, body: MaterialWrite) -> MaterialPreview:
    """With sample values, the length of a short message, and what compliance lists say; nothing is kept."""
    usecases.require_sound(material_faults(body))
    wording = material_wording(body)
    rendered = rendered_body(body, SAMPLES)
    return MaterialPreview(
        body=rendered,
        variables=variables_of(wording),
        sms=sms_lengths(rendered) if rendered and body.channel == "sms" else None,
        hits=await hits_in(wording, await lists_in_force(session, clock.today())),
    )


@router.get("/materials", summary="List materials", responses=problem_responses(400))
async def list_materials(
    session: Session, principal: Reader, page: PageParams, material_key: OfKey = None, state: InState = None
) -> Page[MaterialView]:
    """In the order of keys and versions."""
    return await queries.list_materials(session, page, material_key, state)


@router.get("/materials/{ref}", summary="Read a material", responses=problem_responses(404))
async def get_material(session: Session, principal: Reader, ref: MaterialRef) -> MaterialView:
    """A material at a version, as campaigns name it: `wealth-leaflet@2`."""
    return await queries.get_material(session, ref)


@router.post("/materials/{ref}:approve", summary="Approve a material", responses=_VERB)
async def approve_material(
    session: Session, principal: BankApprover, ref: MaterialRef, body: CommentRequest
) -> MaterialView:
    """By somebody else than its author; campaigns may use it from now on."""
    return await usecases.decide_material(session, principal, ref, "approve", body.comment)


@router.post("/materials/{ref}:reject", summary="Reject a material", responses=_VERB)
async def reject_material(
    session: Session, principal: BankApprover, ref: MaterialRef, body: ReasonRequest
) -> MaterialView:
    """For good: what is better is its next version."""
    return await usecases.decide_material(session, principal, ref, "reject", body.reason)


@router.post("/materials/{ref}:retire", summary="Retire a material", responses=_VERB)
async def retire_material(
    session: Session, principal: WordingKeeper, ref: MaterialRef, body: ReasonRequest
) -> MaterialView:
    """No campaign is submitted, approved or launched with it any more; what runs goes on."""
    return await usecases.decide_material(session, principal, ref, "retire", body.reason)
