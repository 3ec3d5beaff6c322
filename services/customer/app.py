"""The customer service: wiring only."""

from services.customer.api import (
    addresses,
    balances,
    consents,
    customers,
    duplicates,
    erasures,
    event_types,
    events,
    exports,
    handovers,
    history,
    holdings,
    imports,
    merges,
    notes,
    orgs,
    ownership,
    products,
    quality,
    quarantine,
    relations,
    staff,
    subject_exports,
    value,
)
from services.customer.consumers import HANDLERS
from services.customer.jobs import BACKGROUND, TASKS
from services.customer.resources import open_resources
from services.customer.settings import CustomerSettings
from shared.service import Service
from shared.web import create_app

service = Service(
    name="customer",
    title="Huanying customer service",
    description=(
        "Organisations, staff, customers with their identities, products and balances, and the log of "
        "business events. The only place with personal data: encrypted at rest, masked by default."
    ),
    settings=CustomerSettings,
    routers=[
        orgs.router,
        staff.router,
        products.router,
        customers.router,
        addresses.router,
        duplicates.router,
        merges.router,
        history.router,
        consents.router,
        subject_exports.router,
        erasures.router,
        holdings.router,
        balances.router,
        events.router,
        event_types.router,
        quarantine.router,
        imports.router,
        exports.router,
        value.router,
        quality.router,
        relations.router,
        ownership.router,
        handovers.router,
        notes.router,
    ],
    handlers=HANDLERS,
    tasks=TASKS,
    background=BACKGROUND,
    resources=open_resources,
)

app = create_app(service)
