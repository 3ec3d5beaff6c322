"""Models of who responds, as documents."""

from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.uplift import Estimate, Uplift
from services.evaluation.models import ResponseModelRow
from services.evaluation.queries.documents import ends, number
from services.evaluation.store.uplift import NAMES
from shared import clock
from shared.contracts.base import LocalText
from shared.contracts.evaluation.uplift import ResponseModel, UpliftEstimate, UpliftGroup, UpliftPoint
from shared.contracts.metrics import MetricCreate
from shared.errors import NotFound

_READING = {
    "differs": LocalText(
        zh="客户之间的增量效果确有差异：按模型得分先联系高分客户，优于随机联系同样多的客户。",
        en="Customers differ in how much contacting them changes: contacting those with high scores first"
        " does better than contacting as many by lot.",
    ),
    "no_evidence": LocalText(
        zh="没有证据表明模型能区分谁会因联系而改变：不要据此挑选客户。",
        en="There is no evidence that the model tells who changes when contacted: do not choose customers by"
        " it.",
    ),
}


async def newest(session: AsyncSession, campaign_id: UUID) -> ResponseModel:
    statement = (
        select(ResponseModelRow)
        .where(ResponseModelRow.campaign_id == campaign_id)
        .order_by(ResponseModelRow.fitted_at.desc(), ResponseModelRow.id.desc())
        .limit(1)
    )
    row = (await session.scalars(statement)).one_or_none()
    if row is None:
        raise NotFound("No model of who responds was fitted to this campaign yet.", slug="not-fitted")
    return ResponseModel.model_validate(row.document)


def document(
    model_id: UUID, campaign_id: UUID, metric: MetricCreate, found: Uplift, data_until: datetime, seed: int
) -> ResponseModel:
    def told(estimate: Estimate) -> UpliftEstimate:
        return UpliftEstimate(
            value=number(estimate.value, metric),
            ci=ends(estimate.interval, metric),
            p_value=estimate.p_value,
        )

    return ResponseModel(
        id=model_id,
        campaign_id=campaign_id,
        metric=metric.key,
        currency=metric.currency,
        fitted_at=clock.now(),
        data_until=data_until,
        n=found.n,
        n_hold_out=found.n_control,
        features=list(NAMES),
        verdict=found.verdict,
        curve=[
            UpliftPoint(share=share, value=number(value, metric), ci=ends(each, metric))
            for (share, value), each in zip(found.curve, found.band, strict=True)
        ],
        auuc=Decimal(number(found.auuc, metric)),
        qini=told(found.qini),
        groups=[
            UpliftGroup(n=group.n, expected=number(group.expected, metric), effect=told(group.effect))
            for group in found.groups
        ],
        share=found.share,
        everybody=told(found.everybody),
        chosen=told(found.chosen),
        gain=told(found.gain),
        over_lot=told(found.over_lot),
        reading=_READING[found.verdict],
        code_version=version("huanying"),
        seed=seed,
    )
