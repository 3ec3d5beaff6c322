"""Wiring of the campaign service."""

from services.campaign.api import (
    absences,
    account_plans,
    activity,
    calendar,
    campaigns,
    catalogue,
    channels,
    coaching,
    compliance,
    contact_policies,
    exports,
    feedback,
    journeys,
    ledger,
    materials,
    messages,
    opportunities,
    optimisations,
    prices,
    quotas,
    referrals,
    scripts,
    strategies,
    suppressions,
    tasks,
    visits,
    workload,
)
from services.campaign.channels.carriers import open_carriers
from services.campaign.consumers import HANDLERS
from services.campaign.jobs import (
    TASKS,
    follow_journeys,
    follow_the_clock,
    follow_triggers,
    send_messages,
    tell_receipts,
)
from services.campaign.queries.told import KEPT
from services.campaign.settings import CampaignSettings
from shared.service import Service
from shared.web import create_app

service = Service(
    name="campaign",
    title="Huanying campaign",
    description="Plans campaigns, decides who is contacted, and keeps the books of every contact.",
    settings=CampaignSettings,
    routers=[
        catalogue.router,
        scripts.router,
        materials.router,
        compliance.router,
        strategies.router,
        campaigns.router,
        calendar.router,
        ledger.router,
        journeys.router,
        tasks.router,
        absences.router,
        workload.router,
        coaching.router,
        feedback.router,
        quotas.router,
        channels.router,
        messages.router,
        contact_policies.router,
        prices.router,
        optimisations.router,
        opportunities.router,
        account_plans.router,
        visits.router,
        activity.router,
        suppressions.router,
        referrals.router,
        exports.router,
    ],
    handlers=HANDLERS,
    tasks=TASKS,
    resources=open_carriers,
    keeps=KEPT,
    background=[follow_journeys, follow_the_clock, follow_triggers, send_messages, tell_receipts],
)
app = create_app(service)
