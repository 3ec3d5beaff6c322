"""Who is whom: merged, separated again, forgotten."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Schema, Timestamp
from shared.contracts.events.customer import CustomerKeyed
from shared.contracts.events.envelope import BATCH_ITEMS, EventData


class CustomerRef(Schema):
    """A customer's two names: its id, and the dense number bitmaps use."""

    customer_id: UUID
    ordinal: int


class CustomersMerged(CustomerKeyed):
    """From now on `merged` are the same person as `survivor`; what was known of them is the survivor's.

    Facts name the file they belong to now in `customer_id` and the one they were recorded for in `home_id`;
    a consumer that keeps facts by home and looks the survivor up can take a merge back exactly.
    """

    SUBJECT: ClassVar[str] = "customer.customers_merged"
    merge_id: UUID
    survivor: CustomerRef
    merged: Annotated[
        list[CustomerRef],
        Field(min_length=1, max_length=BATCH_ITEMS, description="All that now point to the survivor"),
    ]
    merged_at: Timestamp
    merged_by: str

    def _customer(self) -> UUID:
        return self.survivor.customer_id


class SeparatedCustomer(CustomerRef):
    """A customer after a merge was taken back; `merged_into` when an earlier merge still holds it."""

    merged_into: CustomerRef | None = None


class CustomersUnmerged(CustomerKeyed):
    """The merge was taken back: each of `separated` is again what it was before."""

    SUBJECT: ClassVar[str] = "customer.customers_unmerged"
    merge_id: UUID
    survivor: CustomerRef
    separated: Annotated[list[SeparatedCustomer], Field(min_length=1, max_length=BATCH_ITEMS)]
    unmerged_at: Timestamp
    unmerged_by: str

    def _customer(self) -> UUID:
        return self.survivor.customer_id


class CustomerErased(CustomerKeyed):
    """The person's key was destroyed. Delete what you keep of these ids, then confirm with the receipt."""

    SUBJECT: ClassVar[str] = "customer.customer_erased"
    receipt_id: UUID
    customers: Annotated[
        list[CustomerRef],
        Field(min_length=1, max_length=BATCH_ITEMS, description="The person and all merged into it"),
    ]
    erased_at: Timestamp

    def _customer(self) -> UUID:
        return self.customers[0].customer_id


class ErasureConfirmed(EventData):
    """A service has deleted what it kept; `rows` counts what went."""

    receipt_id: UUID
    rows: int
    confirmed_at: Timestamp

    def partition_key(self) -> str:
        return str(self.receipt_id)


class SegmentationErasureConfirmed(ErasureConfirmed):
    SUBJECT: ClassVar[str] = "segmentation.erasure_confirmed"


class CampaignErasureConfirmed(ErasureConfirmed):
    SUBJECT: ClassVar[str] = "campaign.erasure_confirmed"


class EvaluationErasureConfirmed(ErasureConfirmed):
    SUBJECT: ClassVar[str] = "evaluation.erasure_confirmed"
