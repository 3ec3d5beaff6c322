"""What the segmentation service consumes: the customer stream, into its feature store."""

from services.segmentation.usecases.feed import EVENTS, STREAM, CustomerFeed
from shared.service import Feed

FEEDS = (Feed("segmentation", STREAM, EVENTS, lambda runtime: runtime.resource(CustomerFeed)),)
