"""Who gets which arm: a salted hash of the customer id, or of the manager or branch where those are drawn, so
the answer needs no memory and no order.

The migration defines the same arithmetic in SQL (`split_position`, `contact_key`); a test holds the two
together. Method: a hash bucket as in Kohavi, Tang & Xu, *Trustworthy Online Controlled Experiments*, ch. 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from uuid import UUID

from shared.contracts.campaign import Arm

GLOBAL_SALT = "global-hold-out"
_PRECISION = 53
"""Bits of a double's fraction: the position is exact in Python and in PostgreSQL alike."""


def key_of(name: str) -> UUID:
    """A manager's or a branch's id, for the lot: all their customers are at its position."""
    return UUID(sha256(name.encode()).hexdigest()[:32])


def position(salt: str, customer_id: UUID) -> float:
    """A number in [0, 1), uniform over customers, independent between salts."""
    digest = sha256(f"{salt}:{customer_id}".encode()).digest()
    return float((int.from_bytes(digest[:8], "big") >> (64 - _PRECISION)) / 2**_PRECISION)


def contact_key(campaign_id: UUID, wave: int, customer_id: UUID) -> UUID:
    """The contact's id, derived (UUIDv8, RFC 9562 B.2): planning again finds the same row again."""
    digest = bytearray(sha256(f"{campaign_id}/{wave}/{customer_id}".encode()).digest()[:16])
    digest[6] = (digest[6] & 0x0F) | 0x80
    digest[8] = (digest[8] & 0x3F) | 0x80
    return UUID(bytes=bytes(digest))


@dataclass(frozen=True)
class Slot:
    """[lower, upper) of the position axis; `arm` None is the hold-out."""

    arm: str | None
    lower: float
    upper: float
    propensity: float


def slots(hold_out: float, arms: Sequence[Arm]) -> list[Slot]:
    """The axis cut up: hold-out first, then the arms in their order; the last one ends at 1 exactly."""
    shares = [(None, hold_out), *((arm.key, arm.share) for arm in arms)]
    uppers = [*list(accumulate(share for _, share in shares))[:-1], 1.0]
    lowers = [0.0, *uppers[:-1]]
    return [
        Slot(arm, lower, upper, share)
        for (arm, share), lower, upper in zip(shares, lowers, uppers, strict=True)
        if share > 0
    ]


def slot_of(at: float, cut: Sequence[Slot]) -> Slot:
    return next(slot for slot in cut if at < slot.upper)


def wave_of(at: float, waves: int) -> int:
    """1-based wave of a position on the wave axis."""
    return 1 + int(at * waves)


def salt_of(purpose: str, campaign_id: UUID) -> str:
    """`purpose`: arm, wave or limit. Different purposes must not share a hash, or they would correlate."""
    return f"{purpose}/{campaign_id}"
