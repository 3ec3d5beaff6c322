"""The product catalogue."""

from typing import Annotated

from fastapi import Depends, Query, Response

from services.customer.api.access import CatalogueWrite, CodePath, RegistryRead, optional_version
from services.customer.models import Product
from services.customer.queries import organisation as queries
from services.customer.queries.balances import products
from services.customer.usecases import organisation as usecases
from shared.contracts.base import Currency, Page
from shared.contracts.customer import ProductCategory, ProductRisk, ProductView, ProductWrite
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, set_etag

router = Router(tags=["products"])


@router.put("/products/{code}", responses=problem_responses(412, 428))
async def put_product(
    session: Session,
    principal: CatalogueWrite,
    code: CodePath,
    body: ProductWrite,
    response: Response,
    expected: Annotated[int | None, Depends(optional_version)],
) -> ProductView:
    """Create a product, or replace it (If-Match). The same content again changes nothing."""
    row = await usecases.put_product(session, principal, code, body, expected)
    set_etag(response, row.version)
    return queries.product_view(row)


@router.get("/products/{code}", responses=problem_responses(404))
async def get_product(
    session: Session, principal: RegistryRead, code: CodePath, response: Response
) -> ProductView:
    """One product."""
    view = await queries.product(session, code)
    set_etag(response, view.version)
    return view


@router.get("/products", responses=problem_responses(400))
async def list_products(
    session: Session,
    principal: RegistryRead,
    page: PageParams,
    category: Annotated[ProductCategory | None, Query()] = None,
    risk: Annotated[ProductRisk | None, Query(description="With this rating")] = None,
    currency: Annotated[Currency | None, Query()] = None,
    active: Annotated[bool | None, Query(description="On sale, or not any more")] = None,
) -> Page[ProductView]:
    """Products that meet all given conditions, by code."""
    statement = products(category=category, risk=risk, currency=currency, active=active)
    return await paginate(session, statement, [Product.code], page, lambda row: queries.product_view(row[0]))
