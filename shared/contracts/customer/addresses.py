"""Where a message to a customer goes: asked at the moment of sending, by the program that sends."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Schema
from shared.contracts.customer.vocabulary import CustomerKind, Gender

AddressChannel = Literal["sms", "email", "app"]
NoAddress = Literal["unknown", "inactive", "consent", "no_address"]


class AddressRequest(Schema):
    """``POST /v1/customers:addresses``."""

    channel: AddressChannel
    customers: Annotated[list[UUID], Field(min_length=1, max_length=500)]


class CustomerAddress(Schema):
    """Of one customer asked for; of a merged one the survivor's."""

    customer_id: UUID = Field(description="As asked")
    address: str | None = Field(
        None, description="Telephone number, e-mail address, or for the app the customer's id"
    )
    name: str | None = None
    kind: CustomerKind | None = None
    gender: Gender | None = None
    refused: NoAddress | None = Field(
        None,
        description="Why there is no address: not a customer here, not active, no consent to this channel, "
        "or none on file",
    )


class AddressResult(Schema):
    """Same order and length as the request."""

    items: list[CustomerAddress]
