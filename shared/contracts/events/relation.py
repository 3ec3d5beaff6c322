"""How customers are related, as other services may know it."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Schema
from shared.contracts.events.customer import CustomerKeyed
from shared.contracts.events.envelope import BATCH_ITEMS


class RelationEnd(Schema):
    """One customer of a relation: the survivor now, and the file the relation was told for."""

    customer_id: UUID
    ordinal: int
    home_id: UUID | None = Field(default=None, description="Told for this customer, merged since")
    home_ordinal: int | None = None


class RelationState(Schema):
    """`from_customer` stands in relation `type` to `to_customer`. Relations of an erased customer are gone
    with it: CustomerErased says so, nothing else does.
    """

    relation_id: UUID
    version: Annotated[int, Field(ge=1, description="Grows with every change; ignore older ones")]
    type: Annotated[str, Field(description="Word of the vocabulary of relations", examples=["supplies"])]
    symmetric: Annotated[bool, Field(description="Both ends are alike: the direction says nothing")]
    from_customer: RelationEnd
    to_customer: RelationEnd
    valid_from: date | None = Field(default=None, description="Its first day; null: nobody knows")
    valid_until: date | None = Field(
        default=None, description="The first day on which it is over; null: it has no end yet"
    )


class RelationsChanged(CustomerKeyed):
    """Relations that are new, ended or corrected. Both customers' order is that of the first."""

    SUBJECT: ClassVar[str] = "customer.relations_changed"
    relations: Annotated[list[RelationState], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.relations[0].from_customer.customer_id
