"""Revenue shares of branches: they add up to exactly 1 and one branch leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.errors import FieldError


@dataclass(frozen=True, slots=True)
class Share:
    """One branch's part; `role` is lead or co."""

    org: str
    role: str
    share: Decimal


def share_errors(shares: Sequence[Share], lead: str) -> list[FieldError]:
    """What is wrong with the shares of a customer whose own branch is `lead`; pointers below /branches."""
    errors = [
        FieldError(f"/branches/{index}/org", "appears twice")
        for index, one in enumerate(shares)
        if one.org in {other.org for other in shares[:index]}
    ]
    errors += [
        FieldError(f"/branches/{index}/share", "must be more than 0")
        for index, one in enumerate(shares)
        if one.share <= 0
    ]
    leads = [index for index, one in enumerate(shares) if one.role == "lead"]
    if len(leads) != 1:
        errors.append(FieldError("/branches", f"must have one lead, not {len(leads)}"))
    elif shares[leads[0]].org != lead:
        errors.append(FieldError(f"/branches/{leads[0]}/org", f"the lead must be the customer's '{lead}'"))
    total = sum((one.share for one in shares), Decimal(0))
    if total != 1:
        errors.append(FieldError("/branches", f"the shares add up to {total.normalize():f}, not to 1"))
    return errors
