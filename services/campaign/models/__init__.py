"""Tables of the campaign service. Importing the package registers all of them."""

from services.campaign.models.campaign import Approval, Campaign, CampaignArm, CampaignWave, Review
from services.campaign.models.catalogue import Offer, Script
from services.campaign.models.customer import Customer, Segment, SegmentMember, Suppression
from services.campaign.models.ledger import Attempt, AudienceMember, Contact, Task

__all__ = [
    "Approval",
    "Attempt",
    "AudienceMember",
    "Campaign",
    "CampaignArm",
    "CampaignWave",
    "Contact",
    "Customer",
    "Offer",
    "Review",
    "Script",
    "Segment",
    "SegmentMember",
    "Suppression",
    "Task",
]
