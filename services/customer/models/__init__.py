"""Tables of the customer service. Importing the package registers all of them."""

from services.customer.models.consent import Consent, ConsentEntry
from services.customer.models.contact import CustomerContact
from services.customer.models.customer import Customer, CustomerKey, SourceIdentity
from services.customer.models.erasure import (
    Erasure,
    ErasureConfirmation,
    ErasureTombstone,
    RetentionRule,
    SubjectExport,
)
from services.customer.models.event import (
    CustomerEvent,
    EventType,
    EventTypeVersion,
    ParkedEvent,
    QuarantinedEvent,
)
from services.customer.models.file import ImportFile, ImportRejection
from services.customer.models.history import CustomerHistory, HoldingDaySuperseded
from services.customer.models.holding import Holding, HoldingDay
from services.customer.models.identity import Duplicate, Merge, MergeMember, OwnRisk
from services.customer.models.note import Complaint, Interaction, NeedNote
from services.customer.models.organisation import OrgUnit, Product, Staff
from services.customer.models.ownership import (
    CustomerBranch,
    Handover,
    HandoverItem,
    OwnershipChangeRow,
)
from services.customer.models.quality import QualityDay, QualityResult, QualityRule
from services.customer.models.relation import Relationship
from services.customer.models.value import (
    CustomerPotential,
    CustomerValue,
    SupersededValue,
    ValueBenchmark,
    ValueModel,
    ValueModelVersion,
    ValueRun,
    ValueRunTotal,
)

__all__ = [
    "Complaint",
    "Consent",
    "ConsentEntry",
    "Customer",
    "CustomerBranch",
    "CustomerContact",
    "CustomerEvent",
    "CustomerHistory",
    "CustomerKey",
    "CustomerPotential",
    "CustomerValue",
    "Duplicate",
    "Erasure",
    "ErasureConfirmation",
    "ErasureTombstone",
    "EventType",
    "EventTypeVersion",
    "Handover",
    "HandoverItem",
    "Holding",
    "HoldingDay",
    "HoldingDaySuperseded",
    "ImportFile",
    "ImportRejection",
    "Interaction",
    "Merge",
    "MergeMember",
    "NeedNote",
    "OrgUnit",
    "OwnRisk",
    "OwnershipChangeRow",
    "ParkedEvent",
    "Product",
    "QualityDay",
    "QualityResult",
    "QualityRule",
    "QuarantinedEvent",
    "Relationship",
    "RetentionRule",
    "SourceIdentity",
    "Staff",
    "SubjectExport",
    "SupersededValue",
    "ValueBenchmark",
    "ValueModel",
    "ValueModelVersion",
    "ValueRun",
    "ValueRunTotal",
]
