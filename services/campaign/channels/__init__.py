"""Connectors: how messages reach the providers that carry them to customers."""

from services.campaign.channels.connect import connector_for
from services.campaign.channels.connector import Connector, OutboundMessage, Submission

__all__ = ["Connector", "OutboundMessage", "Submission", "connector_for"]
