"""Tables of the campaign service. Importing the package registers all of them."""

from services.campaign.models.campaign import Approval, Campaign, CampaignArm, CampaignWave, Review
from services.campaign.models.catalogue import Offer, Script
from services.campaign.models.customer import (
    Customer,
    ErasedCustomer,
    MergeTold,
    Segment,
    SegmentMember,
    Suppression,
)
from services.campaign.models.ledger import Attempt, AudienceMember, Contact, Task, Withdrawal

__all__ = [
    "Approval",
    "Attempt",
    "AudienceMember",
    "Campaign",
    "CampaignArm",
    "CampaignWave",
    "Contact",
    "Customer",
    "ErasedCustomer",
    "MergeTold",
    "Offer",
    "Review",
    "Script",
    "Segment",
    "SegmentMember",
    "Suppression",
    "Task",
    "Withdrawal",
]
