"""The connector of a channel."""

from collections.abc import Sequence

from pydantic import TypeAdapter

from services.campaign.channels import secrets
from services.campaign.channels.carriers import Carriers
from services.campaign.channels.connector import Connector, OutboundMessage, Submission
from services.campaign.channels.files import Files
from services.campaign.channels.sandbox import Sandbox
from services.campaign.channels.smtp import Smtp
from services.campaign.channels.webhook import Webhook
from services.campaign.models import Channel
from shared.contracts.campaign.channels import (
    MAX_BATCH,
    ConnectorView,
    FileConnector,
    SandboxConnector,
    SmtpConnector,
    WebhookConnector,
)
from shared.errors import Unavailable
from shared.service import Runtime
from shared.webhooks.secrets import SecretLostError

_CONFIG: TypeAdapter[ConnectorView] = TypeAdapter(ConnectorView)


class Sealed:
    """Of a channel whose secrets cannot be opened: nothing goes out, and everybody sees why."""

    batch = MAX_BATCH

    async def submit(self, messages: Sequence[OutboundMessage]) -> Sequence[Submission]:
        detail = "its secret cannot be opened with this installation's key: set it again"
        return [Submission("failed", None, detail)] * len(messages)


def connector_for(channel: Channel, runtime: Runtime) -> Connector:
    """Cheap: who sends asks for it before every batch, and so meets changes of the channel at once."""
    try:
        return _connector(channel, runtime)
    except (SecretLostError, Unavailable):
        return Sealed()


def _connector(channel: Channel, runtime: Runtime) -> Connector:
    carriers = runtime.resource(Carriers)
    config = _CONFIG.validate_python(channel.connector)
    match config:
        case WebhookConnector():
            keys = secrets.signing_keys(channel, runtime)
            return Webhook(config, keys, carriers.pool) if keys else Sealed()
        case SmtpConnector():
            return Smtp(config, secrets.password(channel, runtime), carriers)
        case FileConnector():
            return Files(config, carriers)
        case SandboxConnector():
            return Sandbox(config, carriers.db)
