"""What the streams forget of campaigns."""

from shared.db import Base
from shared.told import ToldColumns


class CampaignTold(ToldColumns, Base):
    """Assignments, contacts, referrals, opportunities and feedback as they were published. Ids, no personal
    data; an erased customer's stay, as the lines of the ledger do.
    """

    __tablename__ = "campaign_told"
