"""The connector of a channel."""

from pydantic import TypeAdapter

from services.campaign.channels.connector import Connector
from services.campaign.channels.sandbox import Sandbox
from services.campaign.models import Channel
from shared.contracts.campaign.channels import ConnectorView, SandboxConnector
from shared.service import Runtime

_CONFIG: TypeAdapter[ConnectorView] = TypeAdapter(ConnectorView)


def connector_for(channel: Channel, runtime: Runtime) -> Connector:
    """Cheap: who sends asks for it before every batch, and so meets changes of the channel at once."""
    config = _CONFIG.validate_python(channel.connector)
    match config:
        case SandboxConnector():
            return Sandbox(config, runtime.db)
    raise NotImplementedError(config.type)
