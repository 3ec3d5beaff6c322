"""Who may do what here, and what every route needs."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from services.evaluation.store import Store
from shared.auth import Principal, Role
from shared.web import allow, allow_at_head_office, resource

ReviewRead = Annotated[
    Principal, allow(Role.strategist, Role.approver, Role.branch_head, Role.auditor, Role.integrator)
]
ReviewWrite = Annotated[Principal, allow(Role.strategist)]
MetricWrite = Annotated[Principal, allow_at_head_office(Role.strategist)]
"""A metric means the same in every branch."""
CurrentStore = Annotated[Store, resource(Store)]
CampaignId = Annotated[UUID, Path(description="Id of a launched campaign")]
