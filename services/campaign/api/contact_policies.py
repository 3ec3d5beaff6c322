"""Contact policies."""

from typing import Annotated

from fastapi import Query

from services.campaign.api.access import BankPlanner, Reader
from services.campaign.queries import contact_policies as queries
from services.campaign.usecases import contact_policies as usecases
from shared.contracts.base import Key, Page
from shared.contracts.campaign.contact_policies import ContactPolicyView, ContactPolicyWrite
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["contact policies"])


@router.post("/contact-policies", status_code=201, summary="Write a contact policy's next version")
async def create_policy(
    session: Session, principal: BankPlanner, body: ContactPolicyWrite
) -> ContactPolicyView:
    """It holds from now on for every campaign that names its key, also for contacts planned already.

    A policy of the key `default` takes the place of the installation's settings.
    """
    return await usecases.create_policy(session, principal, body)


@router.get("/contact-policies", summary="List contact policies", responses=problem_responses(400))
async def list_policies(
    session: Session,
    principal: Reader,
    page: PageParams,
    policy_key: Annotated[Key | None, Query(alias="key", description="Only versions of this policy")] = None,
) -> Page[ContactPolicyView]:
    """In the order of keys and versions."""
    return await queries.list_policies(session, page, policy_key)


@router.get("/contact-policies/{key}", summary="Read a contact policy", responses=problem_responses(404))
async def get_policy(session: Session, principal: Reader, key: Key) -> ContactPolicyView:
    """The version that holds."""
    return await queries.get_policy(session, key)
