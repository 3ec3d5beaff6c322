"""The customer service with one more route, which does nothing but `SELECT 1`: the floor of any read."""

from dataclasses import replace

from sqlalchemy import text

from services.customer.app import service
from shared.web import Router, Session, create_app

router = Router(tags=["probe"])


@router.get("/one")
async def get_one(session: Session) -> dict[str, int]:
    return {"one": (await session.execute(text("SELECT 1"))).scalar_one()}


app = create_app(replace(service, routers=[*service.routers, router]))
