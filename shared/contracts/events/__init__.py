"""Every event that crosses a service boundary. `EVENTS` generates docs/api/asyncapi.json.

Additive changes only within a version. Customers appear by id, never by name, number or address.
"""

from shared.contracts.events.campaign import (
    AssignedContact,
    CampaignApproved,
    CampaignCompleted,
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    ContactRecorded,
    ContactsAssigned,
    LedgerTotals,
    RegisteredArm,
    Registration,
)
from shared.contracts.events.customer import (
    CustomerEventsRecorded,
    CustomersChanged,
    CustomerState,
    HoldingsChanged,
    HoldingState,
    RecordedEvent,
)
from shared.contracts.events.envelope import BATCH_ITEMS, Channel, ContactState, Disposition, EventData
from shared.contracts.events.evaluation import ArmEffect, CampaignEvaluated, RecommendationIssued
from shared.contracts.events.identity import (
    CampaignErasureConfirmed,
    CustomerErased,
    CustomerRef,
    CustomersMerged,
    CustomersUnmerged,
    ErasureConfirmed,
    EvaluationErasureConfirmed,
    SegmentationErasureConfirmed,
    SeparatedCustomer,
)
from shared.contracts.events.segmentation import SegmentPublished, SegmentUpdated
from shared.contracts.events.stewardship import (
    ConsentChanged,
    ConsentPurpose,
    ConsentState,
    HandoverCompleted,
    Owners,
    OwnershipChange,
    OwnershipChanged,
)

EVENTS: dict[str, type[EventData]] = {
    event.type_name(): event
    for event in (
        CustomersChanged,
        CustomerEventsRecorded,
        HoldingsChanged,
        CustomersMerged,
        CustomersUnmerged,
        CustomerErased,
        ConsentChanged,
        OwnershipChanged,
        HandoverCompleted,
        SegmentationErasureConfirmed,
        CampaignErasureConfirmed,
        EvaluationErasureConfirmed,
        SegmentPublished,
        SegmentUpdated,
        CampaignApproved,
        CampaignLaunched,
        ContactsAssigned,
        ContactRecorded,
        CampaignPaused,
        CampaignResumed,
        CampaignCompleted,
        CampaignEvaluated,
        RecommendationIssued,
    )
}

__all__ = [
    "BATCH_ITEMS",
    "EVENTS",
    "ArmEffect",
    "AssignedContact",
    "CampaignApproved",
    "CampaignCompleted",
    "CampaignErasureConfirmed",
    "CampaignEvaluated",
    "CampaignLaunched",
    "CampaignPaused",
    "CampaignResumed",
    "Channel",
    "ConsentChanged",
    "ConsentPurpose",
    "ConsentState",
    "ContactRecorded",
    "ContactState",
    "ContactsAssigned",
    "CustomerErased",
    "CustomerEventsRecorded",
    "CustomerRef",
    "CustomerState",
    "CustomersChanged",
    "CustomersMerged",
    "CustomersUnmerged",
    "Disposition",
    "ErasureConfirmed",
    "EvaluationErasureConfirmed",
    "EventData",
    "HandoverCompleted",
    "HoldingState",
    "HoldingsChanged",
    "LedgerTotals",
    "Owners",
    "OwnershipChange",
    "OwnershipChanged",
    "RecommendationIssued",
    "RecordedEvent",
    "RegisteredArm",
    "Registration",
    "SegmentPublished",
    "SegmentUpdated",
    "SegmentationErasureConfirmed",
    "SeparatedCustomer",
]
