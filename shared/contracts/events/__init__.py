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
    GlobalHoldOut,
    LedgerTotals,
    QuotaExhausted,
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
from shared.contracts.events.envelope import (
    BATCH_ITEMS,
    Channel,
    ContactOutcome,
    ContactState,
    Disposition,
    EventData,
    MessageOutcome,
)
from shared.contracts.events.evaluation import (
    ArmEffect,
    CampaignEvaluated,
    ComparedIndicator,
    RecommendationIssued,
    ScorecardPublished,
)
from shared.contracts.events.feedback import FeedbackGiven
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
from shared.contracts.events.interaction import CustomersContacted, OutgoingInteraction
from shared.contracts.events.opportunity import OpportunityMoved
from shared.contracts.events.predictions import ChurnWarningRaised, RaisedWarning
from shared.contracts.events.referral import ReferralAnswered, ReferralMade
from shared.contracts.events.relation import RelationEnd, RelationsChanged, RelationState
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
from shared.contracts.events.targets import DriftedShare, TargetDriftDetected
from shared.contracts.events.tier import TierChanged
from shared.contracts.events.value import MonthOfCustomer, ValuesCalculated

EVENTS: dict[str, type[EventData]] = {
    event.type_name(): event
    for event in (
        CustomersChanged,
        CustomerEventsRecorded,
        HoldingsChanged,
        RelationsChanged,
        ValuesCalculated,
        CustomersContacted,
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
        TierChanged,
        ChurnWarningRaised,
        TargetDriftDetected,
        CampaignApproved,
        CampaignLaunched,
        ContactsAssigned,
        ContactRecorded,
        CampaignPaused,
        CampaignResumed,
        CampaignCompleted,
        QuotaExhausted,
        OpportunityMoved,
        ReferralMade,
        ReferralAnswered,
        FeedbackGiven,
        CampaignEvaluated,
        RecommendationIssued,
        ScorecardPublished,
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
    "ChurnWarningRaised",
    "ComparedIndicator",
    "ConsentChanged",
    "ConsentPurpose",
    "ConsentState",
    "ContactOutcome",
    "ContactRecorded",
    "ContactState",
    "ContactsAssigned",
    "CustomerErased",
    "CustomerEventsRecorded",
    "CustomerRef",
    "CustomerState",
    "CustomersChanged",
    "CustomersContacted",
    "CustomersMerged",
    "CustomersUnmerged",
    "Disposition",
    "DriftedShare",
    "ErasureConfirmed",
    "EvaluationErasureConfirmed",
    "EventData",
    "FeedbackGiven",
    "GlobalHoldOut",
    "HandoverCompleted",
    "HoldingState",
    "HoldingsChanged",
    "LedgerTotals",
    "MessageOutcome",
    "MonthOfCustomer",
    "OpportunityMoved",
    "OutgoingInteraction",
    "Owners",
    "OwnershipChange",
    "OwnershipChanged",
    "QuotaExhausted",
    "RaisedWarning",
    "RecommendationIssued",
    "RecordedEvent",
    "ReferralAnswered",
    "ReferralMade",
    "RegisteredArm",
    "Registration",
    "RelationEnd",
    "RelationState",
    "RelationsChanged",
    "ScorecardPublished",
    "SegmentPublished",
    "SegmentUpdated",
    "SegmentationErasureConfirmed",
    "SeparatedCustomer",
    "TargetDriftDetected",
    "TierChanged",
    "ValuesCalculated",
]
