"""Which events of campaigns are kept for good: those that the store of evaluations is made of."""

from shared.contracts.events import (
    ContactRecorded,
    ContactsAssigned,
    FeedbackGiven,
    OpportunityMoved,
    ReferralAnswered,
    ReferralMade,
)
from shared.told import Kept

KEPT = Kept(
    "campaign_told",
    (
        ContactsAssigned,
        ContactRecorded,
        ReferralMade,
        ReferralAnswered,
        OpportunityMoved,
        FeedbackGiven,
    ),
)
