"""Who may grant a price: discounts by role, and nothing below cost without a second person."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from services.campaign.domain.pricing import Priced, discount_share
from shared.contracts.campaign.price_lists import DiscountAuthority, PriceReach, PriceRole
from shared.contracts.campaign.quotes import QuoteConcern, QuoteDecision, QuoteStatus, QuoteVerb
from shared.errors import Conflict, Forbidden

_DEPTH: Mapping[PriceReach, int] = {"cost": 0, "floor": 1, "any": 2}
_EVERYTHING = Fraction(1)

VERBS: Mapping[QuoteStatus, tuple[QuoteVerb, ...]] = {
    "draft": ("edit", "submit"),
    "in_review": ("edit", "approve", "reject"),
    "rejected": ("edit",),
    "approved": (),
    "expired": (),
}
"""What was approved stays as it is; other terms, or the same terms later, are a new quote."""


def decide(
    levels: Sequence[DiscountAuthority], roles: Collection[PriceRole], priced: Priced
) -> QuoteDecision:
    """Whether a seller with these roles may grant the quote alone. A role without a level grants no
    discount; below cost nobody decides alone, whatever the role.
    """
    largest = largest_discount(priced)
    own = max((Fraction(level.discount) for level in levels if level.role in roles), default=Fraction(0))
    total = priced.total
    concerns: list[QuoteConcern] = []
    if largest > own:
        concerns.append("discount")
    if total.revenue < total.cost:
        concerns.append("below_cost")
    if total.revenue < total.floor:
        concerns.append("below_floor")
    needed = _depth(total.revenue, cost=total.cost, floor=total.floor)
    approvers = [
        level.role
        for level in levels
        if Fraction(level.discount) >= largest and _DEPTH[level.reach] >= needed
    ]
    return QuoteDecision(needs_approval=bool(concerns), concerns=concerns, approvers=approvers)


def largest_discount(priced: Priced) -> Fraction:
    """Of all lines, exact. More than everything is everything: a deposit may pay twice its tariff."""
    shares = (discount_share(line.kind, line.tariff, line.price) for line in priced.lines)
    return max(_EVERYTHING if share is None else min(share, _EVERYTHING) for share in shares)


def _depth(revenue: Decimal, *, cost: Decimal, floor: Decimal) -> int:
    return 0 if revenue >= cost else 1 if revenue >= floor else 2


def require_verb(status: QuoteStatus, verb: QuoteVerb) -> None:
    if verb not in VERBS[status]:
        legal = ", ".join(VERBS[status]) or "none"
        detail = f"a quote that is {status} cannot {verb}; legal now: {legal}"
        raise Conflict(detail, slug="illegal-transition")


def require_checker(
    checker: str, roles: Collection[PriceRole], *, makers: Collection[str | None], decision: QuoteDecision
) -> None:
    """Another person than those who made, edited or submitted it, in a role whose authority covers it."""
    if checker in makers:
        raise Forbidden("whoever made or submitted a quote cannot decide on it", slug="maker-is-checker")
    if not set(roles) & set(decision.approvers):
        needed = ", ".join(decision.approvers) or "no role"
        raise Forbidden(f"this quote is beyond your authority; it takes {needed}", slug="beyond-authority")
