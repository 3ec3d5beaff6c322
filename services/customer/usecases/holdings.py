"""Balances sent as a batch by a front end or a source system."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Product
from services.customer.queries.customers import homes
from services.customer.usecases.measures import Measure, apply_measures
from shared import clock
from shared.auth import Principal
from shared.contracts.base import Problem, ProblemItem
from shared.contracts.customer import HoldingItemResult, HoldingsResult, HoldingWrite
from shared.errors import FieldError, Forbidden

INVALID = "/problems/holding-invalid"


async def take_holdings(
    session: AsyncSession, principal: Principal, items: Sequence[HoldingWrite]
) -> HoldingsResult:
    """Apply what is valid; the others are named with their reason."""
    refuse_foreign_items(principal, items)
    customers = await homes(session, items)
    codes = {item.product for item in items}
    products = set((await session.scalars(select(Product.code).where(Product.code.in_(codes)))).all())
    today, now = clock.today(), clock.now()
    measures, refused = [], []
    for index, (item, customer) in enumerate(zip(items, customers, strict=True)):
        errors = _errors(item, customer, products, today, f"/items/{index}")
        if customer is None or errors:
            refused.append(_refusal(index, errors))
        else:
            fields = item.model_dump(exclude={"source", "source_id"})
            measures.append(Measure(customer_id=customer, measured_at=now, **fields))
    await apply_measures(session, measures)
    return HoldingsResult(accepted=len(measures), rejected=len(refused), items=refused)


def refuse_foreign_items(principal: Principal, items: Sequence[HoldingWrite]) -> None:
    """A source system may only write balances of its own."""
    for index, item in enumerate(items):
        if principal.source is not None and item.source != principal.source:
            raise Forbidden(
                f"This key may only write source '{principal.source}'",
                errors=[FieldError(f"/items/{index}/source", "belongs to another system")],
                slug="foreign-source",
            )


def _errors(
    item: HoldingWrite, customer_id: UUID | None, products: set[str], today: date, pointer: str
) -> list[ProblemItem]:
    checks: Mapping[str, tuple[bool, str]] = {
        "source_id": (customer_id is None, "is no customer you can see"),
        "product": (item.product not in products, "is not in the product catalogue"),
        "as_of": (item.as_of > today, "is in the future"),
    }
    return [
        ProblemItem(pointer=f"{pointer}/{name}", detail=detail)
        for name, (wrong, detail) in checks.items()
        if wrong
    ]


def _refusal(index: int, errors: list[ProblemItem]) -> HoldingItemResult:
    problem = Problem(type=INVALID, title="The holding cannot be taken", status=422, errors=errors)
    return HoldingItemResult(index=index, status="rejected", problem=problem)
