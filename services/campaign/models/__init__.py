"""Tables of the campaign service. Importing the package registers all of them."""

from services.campaign.models.account import AccountAction, AccountPlan, Visit
from services.campaign.models.activity import ActivityTarget
from services.campaign.models.campaign import Approval, Campaign, CampaignArm, CampaignWave, Review
from services.campaign.models.catalogue import Offer
from services.campaign.models.channel import Channel, ChannelTest, SandboxMessage
from services.campaign.models.contact_policy import ContactPolicy
from services.campaign.models.customer import (
    Customer,
    ErasedCustomer,
    MergeTold,
    Segment,
    SegmentMember,
    Suppression,
)
from services.campaign.models.feedback import Feedback
from services.campaign.models.journey import JourneyRun, JourneySegment
from services.campaign.models.ledger import Attempt, AudienceMember, Contact, Task, Withdrawal
from services.campaign.models.message import Message
from services.campaign.models.opportunity import Opportunity, OpportunityMove, OpportunityStages
from services.campaign.models.optimisation import (
    Optimisation,
    OptimisedContact,
    OptimisedManager,
    OptimisedPart,
)
from services.campaign.models.outside_contact import OutsideContact
from services.campaign.models.price import KnownContribution, PriceList, PriceQuote
from services.campaign.models.quota import CampaignBudget, OfferQuota, Reservation
from services.campaign.models.referral import Referral
from services.campaign.models.strategy import Strategy, StrategyVersion
from services.campaign.models.told import CampaignTold
from services.campaign.models.trigger import CampaignTrigger, TriggerEntry
from services.campaign.models.wording import ComplianceList, Material, Script
from services.campaign.models.workforce import (
    Absence,
    AbsenceMove,
    CoachingNote,
    ManagerCapacity,
    ManagerDay,
)

__all__ = [
    "Absence",
    "AbsenceMove",
    "AccountAction",
    "AccountPlan",
    "ActivityTarget",
    "Approval",
    "Attempt",
    "AudienceMember",
    "Campaign",
    "CampaignArm",
    "CampaignBudget",
    "CampaignTold",
    "CampaignTrigger",
    "CampaignWave",
    "Channel",
    "ChannelTest",
    "CoachingNote",
    "ComplianceList",
    "Contact",
    "ContactPolicy",
    "Customer",
    "ErasedCustomer",
    "Feedback",
    "JourneyRun",
    "JourneySegment",
    "KnownContribution",
    "ManagerCapacity",
    "ManagerDay",
    "Material",
    "MergeTold",
    "Message",
    "Offer",
    "OfferQuota",
    "Opportunity",
    "OpportunityMove",
    "OpportunityStages",
    "Optimisation",
    "OptimisedContact",
    "OptimisedManager",
    "OptimisedPart",
    "OutsideContact",
    "PriceList",
    "PriceQuote",
    "Referral",
    "Reservation",
    "Review",
    "SandboxMessage",
    "Script",
    "Segment",
    "SegmentMember",
    "Strategy",
    "StrategyVersion",
    "Suppression",
    "Task",
    "TriggerEntry",
    "Visit",
    "Withdrawal",
]
