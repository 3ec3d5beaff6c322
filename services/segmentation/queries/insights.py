"""Insight notes as rows: find one, list them with what was said and voted, show their tests."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.hypothesis import Outcome, adjusted, verdict
from services.segmentation.domain.insight_states import NEXT
from services.segmentation.models import Insight, InsightComment, InsightTest, InsightVote
from services.segmentation.queries.targets import rule_view
from shared.contracts.base import LocalText
from shared.contracts.segmentation.insights import (
    ArmView,
    CommentKind,
    CommentView,
    InsightState,
    InsightTestView,
    InsightView,
    Verdict,
    Votes,
)

CAVEAT = LocalText(
    zh="观察数据：两组客户可能在其他方面也不同；这是相关，不是因果。",
    en="Observational: the groups may differ in other ways as well. An association, not a cause.",
)


def insights_with_counts(reader: str) -> Select[Any]:
    """Each insight with votes for and against, the reader's own, and how many comments and tests."""
    of_insight = InsightVote.insight_id == Insight.id

    def counted(statement: Select[Any]) -> Any:
        return statement.correlate(Insight).scalar_subquery()

    statement = select(
        Insight,
        counted(select(func.count(case((InsightVote.value > 0, 1)))).where(of_insight)),
        counted(select(func.count(case((InsightVote.value < 0, 1)))).where(of_insight)),
        counted(select(InsightVote.value).where(of_insight, InsightVote.voter == reader)),
        counted(select(func.count()).where(InsightComment.insight_id == Insight.id)),
        counted(select(func.count()).where(InsightTest.insight_id == Insight.id)),
    )
    return cast("Select[Any]", statement)


async def show_insight(session: AsyncSession, insight: Insight, reader: str) -> InsightView:
    rows = await session.execute(insights_with_counts(reader).where(Insight.id == insight.id))
    return insight_row(rows.one())


def insight_row(row: Any) -> InsightView:
    insight, up, down, mine, comments, tests = row[:6]
    state = InsightState(insight.state)
    return InsightView(
        id=insight.id,
        title=insight.title,
        text=insight.text,
        tags=insight.tags,
        org=insight.org_path,
        segment=insight.segment,
        feature=insight.feature,
        group=rule_view(insight.group_sql) if insight.group_sql else None,
        state=state,
        revision=insight.revision,
        next_states=list(NEXT[state]),
        author=insight.author,
        votes=Votes(up=up, down=down, mine=mine or 0),
        comments=comments,
        tests=tests,
        promoted_segment=insight.promoted_segment,
        created_at=insight.created_at,
        updated_at=insight.updated_at,
    )


def comment_row(row: Any) -> CommentView:
    comment: InsightComment = row[0]
    return CommentView(
        id=comment.id,
        kind=CommentKind(comment.kind),
        text=comment.text,
        reference=comment.reference,
        author=comment.author,
        created_at=comment.created_at,
    )


async def tests_of(session: AsyncSession, insight_id: UUID) -> list[InsightTest]:
    """All, newest first: corrections are made over all of them."""
    statement = select(InsightTest).where(InsightTest.insight_id == insight_id)
    return list(await session.scalars(statement.order_by(InsightTest.number.desc())))


def verdicts(tests: list[InsightTest]) -> list[tuple[float | None, Verdict]]:
    """The corrected p-value and what follows from it, in the order given."""
    outcomes = [outcome_of(test) for test in tests]
    corrected = adjusted([outcome.p_value for outcome in outcomes])
    return [
        (p_value, Verdict(verdict(outcome, p_value, _direction(test), test.minimal_difference)))
        for test, outcome, p_value in zip(tests, outcomes, corrected, strict=True)
    ]


def outcome_of(test: InsightTest) -> Outcome:
    return Outcome(**{name: test.result.get(name) for name in Outcome.__dataclass_fields__})


def _direction(test: InsightTest) -> Any:
    return test.direction


def test_views(tests: list[InsightTest], catalogue: Catalogue) -> list[InsightTestView]:
    return [
        _test_view(test, p_value, verdict, catalogue)
        for test, (p_value, verdict) in zip(tests, verdicts(tests), strict=True)
    ]


def _test_view(
    test: InsightTest, p_adjusted: float | None, verdict: Verdict, catalogue: Catalogue
) -> InsightTestView:
    name, unit = _named(test.metric, catalogue)
    outcome = outcome_of(test)
    return InsightTestView(
        id=test.id,
        number=test.number,
        group=rule_view(test.group_sql),
        against=rule_view(test.against_sql) if test.against_sql else None,
        metric=test.metric,
        metric_name=name,
        unit=unit,
        direction=_direction(test),
        minimal_difference=test.minimal_difference,
        org=test.scope,
        in_group=ArmView.model_validate(test.result["in_group"]),
        compared=ArmView.model_validate(test.result["compared"]),
        difference=outcome.difference,
        low=outcome.low,
        high=outcome.high,
        effect_size=outcome.effect_size,
        p_value=outcome.p_value,
        p_adjusted=p_adjusted,
        verdict=verdict,
        reason=outcome.reason,
        caveat=CAVEAT,
        evaluated_at=test.evaluated_at,
        stream_position=test.stream_position,
        created_by=test.created_by,
    )


def _named(metric: str, catalogue: Catalogue) -> tuple[LocalText, str | None]:
    """Name and unit of the metric, which may have left the catalogue since."""
    if metric not in catalogue:
        return LocalText(zh=metric, en=metric), None
    feature = catalogue[metric]
    return LocalText(zh=feature.zh, en=feature.en), feature.unit
