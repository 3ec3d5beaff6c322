"""Identifiers and the partition of customer-keyed subjects."""

from uuid import UUID

import uuid_utils.compat as uuid_utils

PARTITIONS = 64


def new_id() -> UUID:
    """A UUIDv7: sorts by creation time, so indexes stay compact."""
    return uuid_utils.uuid7()


def partition_of(customer_id: UUID) -> int:
    """0–63, from the random tail of the UUIDv7. All facts of one customer keep their order in it."""
    return customer_id.int % PARTITIONS
