"""What to say in one contact: the script and its materials with the values of this customer and offer."""

from datetime import date
from uuid import UUID

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.template_values import LANGUAGES, Language, Value, salutation
from services.campaign.domain.wording import (
    material_wording,
    offer_values,
    rendered_material,
    rendered_steps,
    script_wording,
    variables_of,
)
from services.campaign.models import Customer
from services.campaign.queries.catalogue import get_offer, get_script, materials_by_ref
from services.campaign.queries.tasks import find_task
from shared import clock
from shared.auth import Principal, Role
from shared.contracts.campaign import TaskView
from shared.contracts.campaign.scripts import TaskScript
from shared.contracts.customer import CustomerView
from shared.errors import Unavailable
from shared.service import Runtime

_PATIENCE_SECONDS = 2.0
_SALUTATION = "customer.salutation"


async def task_script(
    session: AsyncSession, runtime: Runtime, principal: Principal, task_id: UUID, authorization: str | None
) -> TaskScript:
    """Values are looked up for this answer and kept nowhere. The customer's name is asked of the customer
    service with the caller's own token, and only where a text says it.
    """
    task, refs, ends_on = await find_task(session, principal, task_id)
    script = await get_script(session, task.script)
    found = await materials_by_ref(session, refs)
    materials = [found[ref] for ref in refs]
    named = {name for each in materials for name in variables_of(material_wording(each))}
    named.update(variables_of(script_wording(script)))
    values = await _known(session, principal, task, ends_on)
    if _SALUTATION in named:
        for language, said in (await _salutation(runtime, principal, task, authorization)).items():
            values[language][_SALUTATION] = said
    return TaskScript(
        ref=script.ref,
        key=script.key,
        version=script.version,
        name=script.name,
        minutes=script.minutes,
        steps=rendered_steps(script, values),
        materials=[rendered_material(each, values) for each in materials],
    )


async def _known(
    session: AsyncSession, principal: Principal, task: TaskView, ends_on: date
) -> dict[Language, dict[str, Value]]:
    """All that this service knows itself. A colleague who looks in reads the manager's code for the name."""
    offer = await get_offer(session, task.offer)
    customer = await session.get(Customer, task.customer_id)
    own = principal.staff == task.manager and principal.name
    return {
        language: {
            "manager.name": principal.name if own else task.manager,
            "manager.code": task.manager,
            "campaign.name": getattr(task.campaign_name, language),
            "campaign.ends_on": ends_on,
            "today": clock.today(),
            **({"customer.kind": customer.kind} if customer else {}),
            **offer_values(offer, language),
        }
        for language in LANGUAGES
    }


async def _salutation(
    runtime: Runtime, principal: Principal, task: TaskView, authorization: str | None
) -> dict[Language, str]:
    """Nothing where the caller may not see the customer, or the file has no name."""
    if authorization is None:
        return {}
    reveal = {"reveal": "pii"} if principal.has(Role.manager, Role.branch_head) else {}
    try:
        answer = await runtime.client("customer").get(
            f"/v1/customers/{task.customer_id}",
            params=reveal,
            headers={"Authorization": authorization},
            timeout=_PATIENCE_SECONDS,
        )
    except httpx.HTTPError as error:
        raise Unavailable("the customer file does not answer; try again") from error
    if answer.status_code in {403, 404}:
        return {}
    if answer.is_error:
        raise Unavailable("the customer file does not answer; try again")
    customer = CustomerView.model_validate_json(answer.content)
    return salutation(customer.name, customer.kind, customer.gender) if customer.name else {}
