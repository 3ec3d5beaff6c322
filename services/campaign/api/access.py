"""Who may call what, in the signature of each route."""

from typing import Annotated

from fastapi import Depends, Request

from services.campaign.settings import CampaignSettings
from shared.auth import Principal, Role
from shared.web import allow, allow_at_head_office, runtime_of

Reader = Annotated[
    Principal,
    allow(Role.strategist, Role.approver, Role.branch_head, Role.manager, Role.auditor),
]
Planner = Annotated[Principal, allow(Role.strategist)]
Approver = Annotated[Principal, allow(Role.approver)]
BankPlanner = Annotated[Principal, allow_at_head_office(Role.strategist)]
"""Those who write what campaigns, quotes and opportunities of every branch go by."""
BankApprover = Annotated[Principal, allow_at_head_office(Role.approver)]
WordingKeeper = Annotated[Principal, allow_at_head_office(Role.strategist, Role.approver)]
"""Those who take a text out of use; writing is the planner's, deciding the approver's."""
Overseer = Annotated[Principal, allow(Role.strategist, Role.approver, Role.branch_head, Role.auditor)]
"""Those who may know who is held out; a manager who knew could not treat everybody alike."""
TaskReader = Annotated[Principal, allow(Role.manager, Role.branch_head, Role.strategist, Role.auditor)]
ActivityReader = Annotated[Principal, allow(Role.branch_head, Role.strategist, Role.auditor, Role.integrator)]
"""Of everybody in their organisation, beside the others."""
TaskWorker = Annotated[Principal, allow(Role.manager)]
TaskDispatcher = Annotated[Principal, allow(Role.branch_head)]
AbsenceKeeper = Annotated[Principal, allow(Role.manager, Role.branch_head)]
FeedbackReader = Annotated[
    Principal, allow(Role.manager, Role.branch_head, Role.strategist, Role.approver, Role.auditor)
]
FeedbackGiver = Annotated[Principal, allow(Role.manager, Role.branch_head)]
FeedbackCloser = Annotated[Principal, allow(Role.manager, Role.branch_head, Role.strategist)]
ChannelReader = Annotated[Principal, allow(Role.strategist, Role.approver, Role.auditor)]
Suppressor = Annotated[Principal, allow(Role.strategist, Role.branch_head, Role.manager)]
SuppressionReader = Annotated[Principal, allow(Role.strategist, Role.branch_head, Role.manager, Role.auditor)]
OpportunityWorker = Annotated[Principal, allow(Role.manager, Role.branch_head)]
"""Opportunities, account plans and visits are of those who sell."""
Quoter = Annotated[Principal, allow(Role.manager, Role.branch_head)]
"""Those who sell; who writes the prices does not sell by them."""
QuoteTrier = Annotated[Principal, allow(Role.manager, Role.branch_head, Role.strategist, Role.approver)]
QuoteApprover = Annotated[Principal, allow(Role.branch_head, Role.strategist, Role.approver)]
ReferralParty = Annotated[Principal, allow(Role.manager, Role.branch_head)]
"""Those who hand customers on and take them over."""
ReferralReader = Annotated[Principal, allow(Role.manager, Role.branch_head, Role.auditor)]
BulkReader = Annotated[Principal, allow_at_head_office(Role.integrator)]
"""Services that make their stores anew; nobody who advises customers."""


def settings_of(request: Request) -> CampaignSettings:
    settings = runtime_of(request).settings
    if not isinstance(settings, CampaignSettings):
        raise TypeError(f"the campaign service runs with {type(settings)}")
    return settings


ServiceSettings = Annotated[CampaignSettings, Depends(settings_of)]
