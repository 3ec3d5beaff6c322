"""Who may do what here, and what every route needs."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from services.evaluation.domain.health import Limits
from services.evaluation.store import Store
from shared.auth import Principal, Role
from shared.web import allow, allow_at_head_office, resource

ReviewRead = Annotated[
    Principal, allow(Role.strategist, Role.approver, Role.branch_head, Role.auditor, Role.integrator)
]
ReviewWrite = Annotated[Principal, allow(Role.strategist)]
TableAnalyse = Annotated[
    Principal, allow(Role.strategist, Role.approver, Role.branch_head, Role.auditor, Role.integrator)
]
"""Of one's own table: it reads nothing of the bank's, and keeps nothing."""
BankRead = Annotated[
    Principal,
    allow_at_head_office(Role.strategist, Role.approver, Role.branch_head, Role.auditor, Role.integrator),
]
"""What is told of the whole bank alone, and cannot be parted by branch."""
MetricWrite = Annotated[Principal, allow_at_head_office(Role.strategist)]
"""A metric means the same in every branch."""
QualityWrite = Annotated[Principal, allow_at_head_office(Role.strategist)]
"""One index for the whole bank, by the same weights."""
QualityFeed = Annotated[Principal, allow_at_head_office(Role.strategist, Role.integrator)]
"""Whoever collects answers for all branches."""
ScorecardRead = Annotated[
    Principal,
    allow(
        Role.strategist,
        Role.approver,
        Role.branch_head,
        Role.auditor,
        Role.integrator,
        Role.manager,
    ),
]
"""Managers see themselves, once it is published."""
ScorecardWrite = Annotated[Principal, allow(Role.strategist, Role.branch_head)]
"""Of their own organisation and below."""
CurrentStore = Annotated[Store, resource(Store)]
CurrentLimits = Annotated[Limits, resource(Limits)]
CampaignId = Annotated[UUID, Path(description="Id of a launched campaign")]
