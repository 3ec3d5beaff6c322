"""Shares of the arms in the next round, from what the newest evaluation knows of them."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.allocation import ArmMoments, ArmShare, allocate, default_floor
from services.evaluation.queries import campaigns, recommendations, results
from services.evaluation.queries.documents import number
from services.evaluation.queries.metrics import frozen
from shared.contracts.evaluation.allocation import AllocatedArm, Allocation
from shared.contracts.evaluation.effects import ArmEffect
from shared.contracts.evaluation.recommendations import Action, ArmRecord
from shared.contracts.evaluation.results import CampaignResult
from shared.contracts.metrics import Better, MetricCreate, MetricKind
from shared.errors import Conflict, FieldError, NotFound, Unprocessable

_FINE = Decimal("0.000001")


async def allocation(session: AsyncSession, campaign_id: UUID, floor: float | None) -> Allocation:
    """NotFound before the first evaluation; Conflict while arms cannot be compared, or where there is one;
    Unprocessable with a floor that so many arms cannot have.
    """
    registration = await campaigns.registration(session, campaign_id)
    plan = campaigns.plan_of(registration)
    metric = frozen(registration).get(plan.primary_metric)
    result = await results.required(session, campaign_id)
    advice = await recommendations.newest(session, campaign_id)
    if advice is None or metric is None:
        raise NotFound("This campaign has not been evaluated yet.", slug="not-evaluated")
    records = next((each.arms for each in advice.policies if each.action is Action.RE_ALLOCATE), [])
    if not records or any(record.n < 2 for record in records):
        raise Conflict(
            "There is nothing to share by: it takes two arms, a sound split and closed windows.",
            slug="nothing-to-allocate",
        )
    least = _floor(floor, len(records))
    arms, rates = _arms(records, result, metric)
    shares = allocate(
        arms,
        "proportion" if rates else "mean",
        1 if metric.better is Better.HIGHER else -1,
        hold_out=plan.hold_out,
        floor=least,
    )
    before = {arm.key: arm.share for arm in plan.arms}
    return Allocation(
        campaign_id=campaign_id,
        metric=metric.key,
        data_until=result.data_until,
        hold_out=plan.hold_out,
        floor=least,
        arms=[
            _arm(share, arm, before.get(share.arm, 0.0), metric)
            for share, arm in zip(shares, arms, strict=True)
        ],
    )


def _floor(asked: float | None, arms: int) -> float:
    least = default_floor(arms) if asked is None else asked
    if least * arms > 1:
        raise Unprocessable(
            f"{arms} arms cannot have {least:g} of the treated each.",
            errors=[FieldError("/query/floor", f"must be at most {1 / arms:.4g}")],
        )
    return least


def _arms(
    records: list[ArmRecord], result: CampaignResult, metric: MetricCreate
) -> tuple[list[ArmMoments], bool]:
    """Rates where the metric is a proportion and they are told, else means; and which of the two."""
    told = {effect.arm: effect for effect in result.primary.arms} if result.primary else {}
    if metric.kind is MetricKind.PROPORTION and all(record.arm in told for record in records):
        return [_of_rate(told[record.arm]) for record in records], True
    return [_of_mean(record) for record in records], False


def _of_mean(record: ArmRecord) -> ArmMoments:
    return ArmMoments(record.arm, record.n, float(record.mean), record.deviation**2 * (record.n - 1))


def _of_rate(effect: ArmEffect) -> ArmMoments:
    rate = float(effect.mean)
    return ArmMoments(effect.arm, effect.n, rate, effect.n * rate * (1 - rate))


def _arm(share: ArmShare, known: ArmMoments, before: float, metric: MetricCreate) -> AllocatedArm:
    return AllocatedArm(
        arm=share.arm,
        n=known.n,
        mean=Decimal(repr(known.mean)).quantize(_FINE),
        share=share.share,
        share_before=before,
        best=share.best,
        expected_loss=number(share.expected_loss, metric),
    )
