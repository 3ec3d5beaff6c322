"""Channels that carry messages to customers: what they are, how they are reached, and what they tell back."""

import base64
import binascii
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.contracts.base import Currency, Key, LocalText, Money, Schema, Share, Timestamp
from shared.contracts.events import Channel as ConsentChannel
from shared.contracts.webhooks import WebhookUrl

ChannelKind = Literal["sms", "email", "push", "im"]
ConnectorType = Literal["webhook", "smtp", "file", "sandbox"]
ChannelState = Literal["enabled", "disabled"]
SubmissionOutcome = Literal["accepted", "delivered", "refused", "failed", "unknown"]
ReceiptState = Literal["delivered", "read", "failed", "bounced"]
MessageLanguage = Literal["zh", "en"]

MAX_RECEIPTS = 1_000
MAX_BATCH = 500
_SECRET_BYTES = range(24, 65)
_PREFIX = "whsec_"


def secret_key(secret: str) -> bytes:
    """The key that `whsec_…` stands for. Raises `ValueError` when it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64") from error
    if not secret.startswith(_PREFIX) or len(key) not in _SECRET_BYTES:
        raise ValueError("is `whsec_` and 24 to 64 bytes in base64")
    return key


def _a_secret(value: SecretStr) -> SecretStr:
    secret_key(value.get_secret_value())
    return value


ChannelSecret = Annotated[
    SecretStr,
    AfterValidator(_a_secret),
    Field(
        max_length=100,
        description="`whsec_…`, agreed with the provider: it signs requests by webhook and the receipts that"
        " come back. Never shown again",
        json_schema_extra={"writeOnly": True, "pattern": "^whsec_[A-Za-z0-9+/]{32,86}={0,2}$"},
    ),
]
Password = Annotated[
    SecretStr,
    Field(
        min_length=1, max_length=200, description="Never shown again", json_schema_extra={"writeOnly": True}
    ),
]
HostName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$", max_length=253),
    Field(examples=["mail.example.com"]),
]
MailAddress = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
        max_length=254,
    ),
    Field(examples=["service@bank.example"]),
]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
]
Folder = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}(/[a-z0-9][a-z0-9_-]{0,63}){0,3}$"),
    Field(description="Below the installation's drop directory", examples=["sms/provider-a"]),
]


class WebhookConnector(Schema):
    """Messages go as JSON to the provider's URL, signed as Standard Webhooks says."""

    type: Literal["webhook"]
    url: WebhookUrl
    batch: Annotated[int, Field(ge=1, le=MAX_BATCH, description="Messages of one request")] = 1


class SmtpConnector(Schema):
    """Messages go as mail, one for each recipient."""

    type: Literal["smtp"]
    host: HostName
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="none only to hosts inside the bank that the operator lists"
    )
    username: Line | None = None
    sender: MailAddress
    sender_name: Line | None = None


class SmtpConnectorWrite(SmtpConnector):
    password: Password | None = None

    @field_validator("password")
    @classmethod
    def _somebodys(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if password is not None and info.data.get("username") is None:
            raise ValueError("needs a username")
        return password


class FileConnector(Schema):
    """Each batch is a file in a directory, for a system that fetches files."""

    type: Literal["file"]
    folder: Folder
    format: Literal["csv", "ndjson"] = "csv"
    batch: Annotated[int, Field(ge=1, le=MAX_BATCH, description="Messages of one file")] = MAX_BATCH


class SandboxConnector(Schema):
    """Sends nothing to anybody; its receipts come after a moment, in the shares that are asked for.

    What is neither delivered nor failed never gets a receipt, as it happens with real providers.
    """

    type: Literal["sandbox"]
    delivered: Share = 0.95
    failed: Share = 0.03
    receipt_seconds: Annotated[int, Field(ge=0, le=86_400, description="Until the receipt comes")] = 2

    @field_validator("failed")
    @classmethod
    def _one_whole(cls, failed: float, info: ValidationInfo) -> float:
        if failed + info.data.get("delivered", 0) > 1:
            raise ValueError("is no more than 1 together with delivered")
        return failed


ConnectorView = Annotated[
    WebhookConnector | SmtpConnector | FileConnector | SandboxConnector, Field(discriminator="type")
]
ConnectorWrite = Annotated[
    WebhookConnector | SmtpConnectorWrite | FileConnector | SandboxConnector, Field(discriminator="type")
]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000, description="Messages a minute at most")]
DailyCapacity = Annotated[int, Field(ge=1, le=100_000_000, description="Messages a day of the bank's zone")]
MessageCost = Annotated[Money, Field(ge=0, description="Of one message")]


class ChannelWrite(Schema):
    """`POST /v1/channels`: it begins disabled; try it by `:test`, then `:enable` it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "sms-provider",
                    "kind": "sms",
                    "name": {"zh": "短信", "en": "Text messages"},
                    "consent": "sms",
                    "connector": {"type": "sandbox", "delivered": 0.95, "failed": 0.03},
                    "per_minute": 600,
                    "daily_capacity": 100000,
                    "cost": "0.05",
                }
            ]
        }
    )
    key: Key
    kind: ChannelKind
    name: LocalText
    consent: ConsentChannel = Field(description="What a customer must have agreed to; it never changes")
    connector: ConnectorWrite
    secret: ChannelSecret | None = None
    per_minute: PerMinute
    daily_capacity: DailyCapacity
    cost: MessageCost
    currency: Currency = "CNY"


class ChannelPatch(Schema):
    """What is left out stays. A mail server's password stays while host, port, security and user do."""

    name: LocalText | None = None
    connector: ConnectorWrite | None = None
    secret: ChannelSecret | None = None
    per_minute: PerMinute | None = None
    daily_capacity: DailyCapacity | None = None
    cost: MessageCost | None = None
    currency: Currency | None = None


class ChannelView(Schema):
    key: str
    kind: ChannelKind
    name: LocalText
    consent: ConsentChannel
    connector: ConnectorView
    has_secret: bool
    has_password: bool
    previous_secret_until: Timestamp | None = Field(
        description="Until then receipts may be signed by the secret before too, and requests are by both"
    )
    per_minute: int
    daily_capacity: int
    cost: Money
    currency: Currency
    state: ChannelState
    created_at: Timestamp
    created_by: str
    version: int


class ChannelTestWrite(Schema):
    """`POST /v1/channels/{key}:test`: one message to an address of your own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"recipient": "13800000000", "body": "测试", "language": "zh"}],
        }
    )
    recipient: Line
    subject: Line | None = Field(None, description="Of a mail")
    body: Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]
    language: MessageLanguage = "zh"


class ChannelTestView(Schema):
    """What came of a test; to whom it went is not kept."""

    id: UUID = Field(description="The message's id, as the provider saw it")
    at: Timestamp
    by: str
    outcome: SubmissionOutcome
    reference: str | None = Field(description="The provider's")
    detail: str | None


Reference = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class Receipt(Schema):
    """What the provider says became of one message, named by our id or by the provider's reference."""

    id: UUID | None = None
    reference: Reference | None = None
    state: ReceiptState
    at: Timestamp
    detail: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")] | None = None

    @model_validator(mode="after")
    def _of_something(self) -> "Receipt":
        if self.id is None and self.reference is None:
            raise ValueError("needs id or reference")
        return self


class ReceiptsWrite(Schema):
    """`POST /v1/channels/{key}/receipts`, signed by the channel's secret."""

    receipts: Annotated[list[Receipt], Field(min_length=1, max_length=MAX_RECEIPTS)]


class ReceiptCounts(Schema):
    taken: int
    unknown: int = Field(
        description="Of messages this channel never sent, or that a reference does not tell apart"
    )
