"""Scripts: what a manager says, version by version."""

from typing import Annotated

from fastapi import Query

from services.campaign.api.access import BankApprover, BankPlanner, Overseer, Reader, WordingKeeper
from services.campaign.domain import template_values
from services.campaign.domain.wording import (
    SAMPLES,
    rendered_steps,
    script_faults,
    script_wording,
    variables_of,
)
from services.campaign.queries import catalogue as queries
from services.campaign.queries.compliance import hits_in, lists_in_force
from services.campaign.queries.effects import script_effects
from services.campaign.usecases import wording as usecases
from shared import clock
from shared.contracts.base import Key, Page
from shared.contracts.campaign import CommentRequest, ReasonRequest, ScriptRef, ScriptView, ScriptWrite
from shared.contracts.campaign.scripts import (
    LocalRendered,
    ScriptEffects,
    ScriptPreview,
    WordingState,
    WordingVariable,
    WordingVariables,
)
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["scripts"])

OfKey = Annotated[Key | None, Query(alias="key", description="Only versions of this key")]
InState = Annotated[WordingState | None, Query(description="Only versions in this state")]
_VERB = problem_responses(404, 409)


@router.post("/scripts", status_code=201, summary="Write a script's next version")
async def create_script(session: Session, principal: BankPlanner, body: ScriptWrite) -> ScriptView:
    """The first post of a key makes `key@1`, the next `key@2`; no version ever changes.

    It waits for review: campaigns take it once somebody else has approved it. 422 `text-refused` names every
    text that is none, with line and position, and every step that leads nowhere; 422 `compliance-refused`
    every word that may not be said.
    """
    return await usecases.create_script(session, principal, body)


@router.post("/scripts:preview", summary="Preview a script")
async def preview_script(session: Session, principal: Reader, body: ScriptWrite) -> ScriptPreview:
    """With sample values, and with every word that compliance lists refuse or warn of; nothing is kept."""
    usecases.require_sound(script_faults(body))
    wording = script_wording(body)
    return ScriptPreview(
        steps=rendered_steps(body, SAMPLES),
        variables=variables_of(wording),
        hits=await hits_in(wording, await lists_in_force(session, clock.today())),
    )


@router.get("/scripts", summary="List scripts", responses=problem_responses(400))
async def list_scripts(
    session: Session, principal: Reader, page: PageParams, script_key: OfKey = None, state: InState = None
) -> Page[ScriptView]:
    """In the order of keys and versions."""
    return await queries.list_scripts(session, page, script_key, state)


@router.get("/scripts/{ref}", summary="Read a script", responses=problem_responses(404))
async def get_script(session: Session, principal: Reader, ref: ScriptRef) -> ScriptView:
    """A script at a version, as campaigns name it: `wealth-50plus@3`."""
    return await queries.get_script(session, ref)


@router.post("/scripts/{ref}:approve", summary="Approve a script", responses=_VERB)
async def approve_script(
    session: Session, principal: BankApprover, ref: ScriptRef, body: CommentRequest
) -> ScriptView:
    """By somebody else than its author; campaigns may use it from now on."""
    return await usecases.decide_script(session, principal, ref, "approve", body.comment)


@router.post("/scripts/{ref}:reject", summary="Reject a script", responses=_VERB)
async def reject_script(
    session: Session, principal: BankApprover, ref: ScriptRef, body: ReasonRequest
) -> ScriptView:
    """For good: what is better is its next version."""
    return await usecases.decide_script(session, principal, ref, "reject", body.reason)


@router.post("/scripts/{ref}:retire", summary="Retire a script", responses=_VERB)
async def retire_script(
    session: Session, principal: WordingKeeper, ref: ScriptRef, body: ReasonRequest
) -> ScriptView:
    """No campaign is submitted, approved or launched with it any more; what runs goes on."""
    return await usecases.decide_script(session, principal, ref, "retire", body.reason)


@router.get("/scripts/{script_key}/effect", summary="Compare a script's versions")
async def get_script_effect(session: Session, principal: Overseer, script_key: Key) -> ScriptEffects:
    """What came of the contacts of each version, as the ledger of your organisation has it."""
    return ScriptEffects(items=await script_effects(session, script_key))


@router.get("/wording-variables", summary="List the values a text may name")
async def list_wording_variables(session: Session, principal: Reader) -> WordingVariables:
    """With the filter each is written with. `default('…')` says what stands for a value that is not known."""
    return WordingVariables(
        items=[
            WordingVariable(
                name=name,
                kind=variable.kind,
                filter=template_values.FILTER_OF.get(variable.kind),
                sample=LocalRendered(
                    zh=template_values.written(variable.kind, variable.zh, "zh"),
                    en=template_values.written(variable.kind, variable.en, "en"),
                ),
            )
            for name, variable in template_values.VARIABLES.items()
        ]
    )
