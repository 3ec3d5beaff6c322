"""Tables of the customer service. Importing the package registers all of them."""

from services.customer.models.contact import CustomerContact
from services.customer.models.customer import Consent, Customer, CustomerKey, SourceIdentity
from services.customer.models.event import (
    CustomerEvent,
    EventType,
    EventTypeVersion,
    ParkedEvent,
    QuarantinedEvent,
)
from services.customer.models.file import ImportFile, ImportRejection
from services.customer.models.holding import Holding, HoldingDay
from services.customer.models.organisation import OrgUnit, Product, Staff

__all__ = [
    "Consent",
    "Customer",
    "CustomerContact",
    "CustomerEvent",
    "CustomerKey",
    "EventType",
    "EventTypeVersion",
    "Holding",
    "HoldingDay",
    "ImportFile",
    "ImportRejection",
    "OrgUnit",
    "ParkedEvent",
    "Product",
    "QuarantinedEvent",
    "SourceIdentity",
    "Staff",
]
