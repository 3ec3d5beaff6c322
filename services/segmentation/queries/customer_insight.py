"""What this service makes of one customer."""

from datetime import datetime

import duckdb
from pyroaring import BitMap
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.catalogue.life_cycle import STAGE
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.models import ChurnWarning, GeMatrix, GeScore
from services.segmentation.queries.churn_warnings import ACTIVE, Wanted, warning_row, warnings_of
from services.segmentation.queries.ge_matrices import history_of, history_row
from services.segmentation.queries.life_cycle import NAMES
from services.segmentation.queries.run_results import customer_scores
from services.segmentation.queries.tiers import held_tiers
from services.segmentation.store import reading
from services.segmentation.store.scope import Known
from shared.contracts.segmentation.customer_insight import CustomerInsight, StageView
from shared.contracts.segmentation.life_cycle import Stage

_NO_MEMBERS: dict[str, BitMap] = {}


def stage_of(
    cursor: duckdb.DuckDBPyConnection, ordinal: int, moment: Moment, catalogue: Catalogue
) -> StageView | None:
    """Nothing for a customer who is not active."""
    compiler = Compiler(catalogue, moment)
    compiler.add_feature("stage", STAGE)
    column = reading.columns(cursor, compiler.query(only=[ordinal]), _NO_MEMBERS.__getitem__)["stage"]
    if not len(column):
        return None
    stage = Stage(str(column[0]))
    return StageView(stage=stage, name=NAMES[stage])


async def customer_insight(
    session: AsyncSession, customer: Known, stage: StageView | None, at: datetime
) -> CustomerInsight:
    warnings = await session.execute(
        warnings_of(Wanted(states=ACTIVE, customer_id=customer.customer_id)).order_by(
            ChurnWarning.at_stake.desc(), ChurnWarning.id
        )
    )
    positions = await session.execute(
        history_of(customer.ordinal).where(GeScore.current).order_by(GeMatrix.key)
    )
    return CustomerInsight(
        customer_id=customer.customer_id,
        evaluated_at=at,
        stage=stage,
        tiers=await held_tiers(session, customer.ordinal),
        positions=[history_row(row) for row in positions],
        warnings=[warning_row(row) for row in warnings],
        models=await customer_scores(session, customer.ordinal),
    )
