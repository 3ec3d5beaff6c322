"""Keeping a result: the document, its branches, its cells, its recommendation, its events."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.assess import Assessment
from services.evaluation.domain.cells import CellTable
from services.evaluation.models import (
    BranchEffect,
    CellBlock,
    RecommendationRow,
    Registration,
    Result,
    ResultCell,
)
from services.evaluation.queries import documents
from services.evaluation.queries.cell_blocks import packed
from services.evaluation.queries.recommendations import policy_value, prediction
from services.evaluation.usecases import wording
from shared.contracts.base import LocalText
from shared.contracts.evaluation import (
    Action,
    CampaignResult,
    EvaluationError,
    Outcome,
    Recommendation,
    RecommendationState,
)
from shared.contracts.evaluation.recommendations import FollowUp
from shared.contracts.events import ArmEffect, CampaignEvaluated, RecommendationIssued
from shared.contracts.events import Registration as Plan
from shared.contracts.metrics import MetricCreate
from shared.outbox import emit


async def find(session: AsyncSession, result_id: UUID) -> CampaignResult | None:
    row = await session.get(Result, result_id)
    return CampaignResult.model_validate(row.document) if row else None


async def save(
    session: AsyncSession,
    registration: Registration,
    metric: MetricCreate,
    result: CampaignResult,
    assessment: Assessment,
    assigned: Mapping[str, int],
    cells: CellTable | None,
) -> None:
    """Rows and events of one result; the campaign's open recommendation gives way to the new one."""
    await _save_document(session, result)
    await _save_cells(session, result.campaign_id, cells)
    advice = _recommendation(registration, metric, result, assessment, assigned)
    await session.execute(
        update(RecommendationRow)
        .where(RecommendationRow.campaign_id == result.campaign_id, RecommendationRow.state == "open")
        .values(state="superseded")
    )
    session.add(
        RecommendationRow(
            id=advice.id,
            campaign_id=advice.campaign_id,
            result_id=result.id,
            state=advice.state.value,
            document=advice.model_dump(mode="json"),
            issued_at=advice.issued_at,
        )
    )
    await session.flush()
    await emit(session, _evaluated(result, metric), _issued(advice))


async def _save_document(session: AsyncSession, result: CampaignResult) -> None:
    branches = [row for row in result.breakdown if row.dimension == "branch"]
    others = [row for row in result.breakdown if row.dimension != "branch"]
    document = result.model_copy(update={"breakdown": others}).model_dump(mode="json")
    session.add(
        Result(
            id=result.id, campaign_id=result.campaign_id, evaluated_at=result.evaluated_at, document=document
        )
    )
    await session.flush()
    session.add_all(
        BranchEffect(result_id=result.id, org_path=row.values["branch"], row=row.model_dump(mode="json"))
        for row in branches
    )
    await session.flush()


async def _save_cells(session: AsyncSession, campaign_id: UUID, cells: CellTable | None) -> None:
    for table in (ResultCell, CellBlock):
        await session.execute(delete(table).where(table.campaign_id == campaign_id))
    blocks = await asyncio.to_thread(packed, cells) if cells else {}
    if blocks:
        rows = [
            {"campaign_id": campaign_id, "org_path": branch, "payload": payload}
            for branch, payload in blocks.items()
        ]
        await session.execute(insert(CellBlock), rows)


def _recommendation(
    registration: Registration,
    metric: MetricCreate,
    result: CampaignResult,
    assessment: Assessment,
    assigned: Mapping[str, int],
) -> Recommendation:
    advice = assessment.advice
    return Recommendation(
        id=result.recommendation_id,
        campaign_id=result.campaign_id,
        campaign_key=registration.key,
        campaign_name=LocalText.model_validate(registration.name),
        result_id=result.id,
        action=Action(advice.action),
        outcome=Outcome(advice.outcome),
        title=wording.title(advice),
        text=wording.text(advice, assessment.found, metric),
        evidence=documents.evidence(assessment, metric, assigned),
        cells=documents.target_cells(assessment, metric),
        policies=[
            policy_value(candidate, metric, assessment.found.alpha, followed=candidate is advice.policy)
            for candidate in assessment.found.policies
        ],
        prediction=prediction(advice, assessment.found, metric),
        follow_up=FollowUp(advice.follow_up),
        state=RecommendationState.OPEN,
        issued_at=result.evaluated_at,
    )


def _evaluated(result: CampaignResult, metric: MetricCreate) -> CampaignEvaluated:
    primary = result.primary
    effects = [*primary.arms, *([primary.overall] if primary.overall else [])] if primary else []
    return CampaignEvaluated(
        campaign_id=result.campaign_id,
        result_id=result.id,
        verdict=result.health.verdict,
        metric=metric.key,
        effects=[
            ArmEffect(
                arm=effect.arm,
                n=effect.n,
                n_hold_out=effect.n_hold_out,
                difference=effect.difference,
                ci=effect.ci,
                p_value=effect.p_value,
            )
            for effect in effects
        ],
        matured=result.matured,
        evaluated_at=result.evaluated_at,
    )


def _issued(advice: Recommendation) -> RecommendationIssued:
    evidence = advice.evidence.model_dump(mode="json", exclude_none=True)
    cells = [cell.model_dump(mode="json") for cell in advice.cells]
    return RecommendationIssued(
        campaign_id=advice.campaign_id,
        recommendation_id=advice.id,
        action=advice.action.value,
        outcome=advice.outcome.value,
        title=advice.title,
        evidence=evidence | ({"cells": cells} if cells else {}),
        issued_at=advice.issued_at,
    )


def undefined(plan: Plan, known: Mapping[str, MetricCreate]) -> list[EvaluationError]:
    """Guardrails that nobody had defined at launch: they were not watched, and the result says so."""
    return [
        EvaluationError(
            at=f"guardrail/{key}", code="undefined", detail="had no definition when the campaign was launched"
        )
        for key in plan.guardrails
        if key not in known
    ]
